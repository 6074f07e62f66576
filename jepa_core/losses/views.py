"""Views of one place pulled together."""

from torch import Tensor


def view_invariance(views: Tensor, central: int) -> Tensor:
    """Mean squared distance of all views' vectors from the centre of the first few (LeJEPA section 5).

    Args:
        views: (batch, views, dimension).
        central: how many of the first views make the centre; LeJEPA's global ones.

    Returns:
        Scalar, a mean over images, views and features.

    Raises:
        ValueError: no central view, or more than there are.
    """
    if not 1 <= central <= views.shape[1]:
        raise ValueError(f"{central} of {views.shape[1]} views cannot be central")
    centre = views[:, :central].mean(dim=1, keepdim=True)
    return (views - centre).square().mean()
