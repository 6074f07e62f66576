"""PSA, X-JEPA's distance of predicted to target tokens under a matrix M (Choudhury et al., WACV 2026, page 5).

Of M it is known only that it is positive definite. A free M would shrink until every distance is 0, so here its trace
is its width, as the identity's; this and the two ways to an M are ours. M is given by a factor L, with M = L L^T.
"""

import torch
from torch import Tensor

from jepa_core.device import in_full


def normalised_factor(factor: Tensor) -> Tensor:
    """Scales a factor so that the trace of its M is the width.

    This holds the size of M, not its rank: an M learned by descending the distance alone ends up on the one direction
    in which the error is least.

    Args:
        factor: L, (width, width), not zero everywhere.

    Returns:
        The scaled L, of the same shape; the gradient passes.

    Raises:
        ValueError: not square.
    """
    if factor.ndim != 2 or factor.shape[0] != factor.shape[1]:
        raise ValueError(f"expected a square matrix, got {tuple(factor.shape)}")
    # The trace of L L^T is the sum of the squares of L.
    return factor * torch.sqrt(len(factor) / factor.square().sum())


def shrinkage_factor(covariance: Tensor, shrinkage: float) -> Tensor:
    """Factor of the inverse of a covariance shrunk towards the identity: the distance becomes Mahalanobis'.

    Args:
        covariance: of target features, (width, width), symmetric, without negative eigenvalues.
        shrinkage: added to the diagonal, in the covariance's own units (squared features).

    Returns:
        L, (width, width), with L L^T proportional to (covariance + shrinkage I)^-1 and of trace width; without
        gradient; float32 at least.

    Raises:
        ValueError: not square, or the shrinkage is not positive.
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"expected a square matrix, got {tuple(covariance.shape)}")
    if shrinkage <= 0:
        raise ValueError(f"the shrinkage must be positive, not {shrinkage}")
    covariance = covariance.detach().to(torch.promote_types(covariance.dtype, torch.float32))
    identity = torch.eye(len(covariance)).to(covariance)
    # From C C^T = S follows S^-1 = C^-T C^-1, so C^-T is a factor of the inverse.
    lower = torch.linalg.cholesky(covariance + shrinkage * identity)
    inverse: Tensor = torch.linalg.solve_triangular(lower, identity, upper=False)
    return normalised_factor(inverse.T)


def psa_distance(delta: Tensor, factor: Tensor) -> Tensor:
    """Mean over an image's tokens of sqrt(delta^T M delta / width + 1e-6).

    The division by the width is ours: it keeps the size apart from the width, as for the latent squared error. With
    the identity a token's distance is the root mean square of its delta. The 1e-6 keeps the gradient finite at 0.

    Args:
        delta: predicted less target tokens, (batch, tokens, width). Taken to float32 at least.
        factor: L of M = L L^T, (width, width), with a trace of M that is the width.

    Returns:
        One distance an image, (batch,).

    Raises:
        ValueError: shapes do not fit.
    """
    if delta.ndim != 3 or factor.shape != (delta.shape[2], delta.shape[2]):
        raise ValueError(
            f"expected (batch, tokens, width) and (width, width), got {tuple(delta.shape)} and {tuple(factor.shape)}"
        )
    delta = delta.to(torch.promote_types(delta.dtype, torch.float32))
    with in_full(delta):
        return torch.sqrt((delta @ factor.to(delta)).square().mean(dim=-1) + 1e-6).mean(dim=-1)
