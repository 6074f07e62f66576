"""X-JEPA: predict each sensor's features from the other's; two encoders, two predictors with queries in common.

Choudhury, Salunkhe, Rajan, Chaudhuri, Banerjee 2026, "X-JEPA" (WACV 2026). No public code exists; section 3.4 and the
losses are known from quotations only. Where they are silent the choice is ours, and the field's doc line says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jepa_core.bounds import Count, Positive, Share, Weight
from jepa_core.device import in_full
from jepa_core.losses.latent import latent_mse
from jepa_core.losses.psa import normalised_factor, psa_distance, shrinkage_factor
from jepa_core.losses.vicreg import covariance_penalty, invariance, variance_hinge
from jepa_core.nn.ema import follow, follower
from jepa_core.nn.encoder import Encoder, MaskedEncoderConfig
from jepa_core.nn.forecaster import Forecaster
from jepa_core.nn.masking import random_mask, take
from jepa_core.training.config import TrainingConfig
from jepa_core.variants.variant import Encoded, Roles, TrainingLoss, Variant
from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class XJEPAConfig(MaskedEncoderConfig):
    """Sizes and weights; the defaults fit the published parameter count (size `paper`).

    Predictors have as many attention heads as the encoder.
    """

    predictor_width: Count = 384
    """Features of a token in the predictors. Not known; as in a published derivative (DX-JEPA)."""

    predictor_depth: Count = 12
    """Blocks of each predictor. Not known; as in DX-JEPA."""

    queries: Count = 16
    """Learned queries of a predictor. Not known; as in DX-JEPA."""

    shared_queries: bool = True
    """Whether both predictors have the same queries, which the paper ablates; what it does without them is not known,
    ours is queries of their own."""

    target_ratio: Share = 0.5
    """Share of tokens to predict; the context is the rest, so that the two are disjoint. That the sensors of a pair
    share the masks, and the share itself, are ours."""

    weight_l2: Weight = 1.0
    """Of the squared error of predicted features."""

    weight_psa: Weight = 0.1
    """Of PSA. Not known; as in DX-JEPA, though sums over features are means here."""

    psa_matrix: Literal["learned", "covariance", "identity"] = "learned"
    """PSA's matrix M: learned with its trace held at the width, without which it shrinks to nothing (its rank is free
    to fall: `psa_rank` shows it); the inverse of the shrunk covariance of target features (Mahalanobis); or none. How
    the paper keeps it is not known; ours."""

    psa_shrinkage: Positive = 0.1
    """Added to the covariance's diagonal; of the second form only. Ours."""

    weight_vicreg: Weight = 0.02
    """Of VICReg as a whole. The paper writes none, beside an L2 that is a sum over features; ours is their mean, and
    beside that a weight of 1 leaves next to nothing of the prediction."""

    vicreg_invariance: Weight = 25.0
    """Inside VICReg, between the sensors' pooled contexts. Not known; VICReg's own. With DX-JEPA's weights (1, 25, 25)
    the two sensors stayed apart on the sample's validation pairs (docs/design.md)."""

    vicreg_variance: Weight = 25.0
    """Inside VICReg, of each sensor's pooled context. Not known; VICReg's own."""

    vicreg_covariance: Weight = 1.0
    """Inside VICReg, of the same. Not known; VICReg's own."""

    pairing: Literal["paired", "unpaired"] = "paired"
    """The abstract claims alignment without pairs and does not say how. `unpaired` is our reading: the sensors' images
    of a batch are drawn apart, each predictor predicts within its sensor, VICReg has no invariance, and PSA measures
    the distance between the means of the two sets of pooled contexts, plus that between their covariances."""


SIZES = {
    # 36 tokens: 120 pixels of 10 m in squares of 200 m. Trains in minutes on two CPU cores.
    "tiny": XJEPAConfig(
        input_size=120,
        patch_size=20,
        stem="hmlp",
        width=128,
        depth=4,
        heads=4,
        predictor_width=64,
        predictor_depth=2,
        queries=4,
    ),
    # 144 tokens of 100 m.
    "small": XJEPAConfig(
        input_size=120, patch_size=10, stem="hmlp", width=384, heads=6, predictor_width=192, predictor_depth=6
    ),
    "paper": XJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig.tiny(),
    "small": TrainingConfig.small(),
    # Rate, epochs and batch are not known; those of DX-JEPA. The moving average's 0.996 to 1 is the paper's.
    "paper": TrainingConfig(epochs=200, batch_size=256, start_learning_rate=3e-5, peak_learning_rate=3e-4),
}


class XJEPA(Variant):
    """Two encoders, each followed by a target; each sensor's context, with the other's in view, predicts the other."""

    described_by: Mapping[Purpose, tuple[str, ...]] = {"same": ("stem", "trunk"), "cross": ("trunk",)}
    # Whitened, the trunk would win precision and no mAP.
    whitened = ("stem",)
    covariance: Tensor

    def __init__(self, config: XJEPAConfig, bands: Mapping[str, int]) -> None:
        """Builds the network with random weights, from torch's global generator.

        Args:
            config: sizes and weights.
            bands: number of bands of each of the two sensors, by sensor name.

        Raises:
            ValueError: not exactly two sensors.
        """
        super().__init__(bands)
        if len(bands) != 2:
            raise ValueError(f"X-JEPA takes two sensors, not {len(bands)}: {', '.join(bands)}")
        c = self.config = config
        self.paired = c.pairing == "paired"
        encoders = {name: Encoder(c, count) for name, count in bands.items()}
        self.grid = encoders[self.sensors[0]].grid
        self.encoders = nn.ModuleDict(encoders)
        self.targets = follower(self.encoders)
        # By the sensor that is predicted from.
        self.predictors = nn.ModuleDict(
            {
                name: Forecaster(c.width, c.predictor_width, c.predictor_depth, c.heads, c.mlp_ratio, self.grid)
                for name in bands
            }
        )
        names = ("all",) if c.shared_queries else self.sensors
        self.query = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(1, c.queries, c.predictor_width) * 0.02) for name in names}
        )
        if c.psa_matrix == "learned":
            self.psa_factor = nn.Parameter(torch.eye(c.width))
        elif c.psa_matrix == "covariance":
            self.register_buffer("covariance", torch.eye(c.width))

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Disjoint context and target tokens."""
        tokens = self.grid[0] * self.grid[1]
        context, targets = random_mask(batch, tokens, self.config.target_ratio, generator)
        return {"context": context, "targets": targets}

    def encode(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> Encoded:
        """Predicts each sensor's target features from the other's context, both contexts in view (section 3.4)."""
        seen, wanted = drawn["context"], drawn["targets"]
        context = {name: self.encoders[name](images[name], seen) for name in self.sensors}
        target = {name: take(self._target(name).targets(images[name]), wanted) for name in self.sensors}
        factor = self._factor(seen.device)
        rows = {}
        for name, other in (self.sensors, self.sensors[::-1]):
            queries = self.query["all" if self.config.shared_queries else name]
            aim, view = (other, other) if self.paired else (name, name)
            predicted = self.predictors[name](queries, context[name], context[view], seen, wanted)
            rows[f"l2_{aim}"] = latent_mse(predicted, target[aim])
            if self.paired:
                rows[f"psa_{aim}"] = psa_distance(predicted - target[aim], factor)
        for name in self.sensors:
            pooled = context[name].mean(dim=1)
            rows[f"context_{name}"] = pooled
            if not self.paired:
                with in_full(pooled):
                    rows[f"mapped_{name}"] = pooled.to(factor) @ factor
            rows[f"likeness_{name}"] = F.cosine_similarity(pooled.detach(), target[name].mean(dim=1), dim=-1)
        # tr(M)^2 / tr(M^2): how many directions PSA weighs. The trace is held, the rank is not.
        with in_full(factor):
            rank = self.config.width**2 / (factor.detach() @ factor.detach().T).square().sum()
        rows["psa_rank"] = rank.expand(len(seen))
        return Encoded(rows, self._moments(target))

    def combine(self, encoded: Encoded, generator: Generator) -> TrainingLoss:
        """L = L_L2 + weight x L_PSA + weight x VICReg; the two directions are averaged, which is ours."""
        c, rows = self.config, encoded.rows
        a, b = self.sensors
        l2 = {name: rows[f"l2_{name}"].mean() for name in self.sensors}
        context = {name: rows[f"context_{name}"] for name in self.sensors}
        if self.paired:
            psa = (rows[f"psa_{a}"].mean() + rows[f"psa_{b}"].mean()) / 2
            alike = invariance(context[a], context[b])
        else:
            psa = _distance_of_sets(rows[f"mapped_{a}"], rows[f"mapped_{b}"])
            alike = torch.zeros_like(psa)
        variance = (variance_hinge(context[a]) + variance_hinge(context[b])) / 2
        covariance = covariance_penalty(context[a]) + covariance_penalty(context[b])
        vicreg = c.vicreg_invariance * alike + c.vicreg_variance * variance + c.vicreg_covariance * covariance
        total = c.weight_l2 * (l2[a] + l2[b]) / 2 + c.weight_psa * psa + c.weight_vicreg * vicreg
        terms = {
            **{f"l2_{name}": value for name, value in l2.items()},
            "psa": psa,
            "psa_rank": rows["psa_rank"].mean(),
            "vicreg_invariance": alike,
            "vicreg_variance": variance,
            "vicreg_covariance": covariance,
            **{f"target_context_cosine_{name}": rows[f"likeness_{name}"].mean() for name in self.sensors},
        }
        return TrainingLoss(
            total=total,
            terms={name: value.detach() for name, value in terms.items()},
            embeddings={"context": {name: values.detach() for name, values in context.items()}},
        )

    @torch.no_grad()
    def after_step(self, momentum: float, sums: Mapping[str, Tensor]) -> None:
        """Target encoders follow; so does the covariance of their features, where PSA uses it."""
        follow(self.targets, self.encoders, momentum)
        if sums:
            mean = sums["features"] / sums["tokens"]
            latest = sums["products"] / sums["tokens"] - mean[:, None] * mean
            # A hundred steps' memory: the target's own momentum, near 1, would keep the identity for ever. Ours.
            self.covariance.lerp_(latest, 0.01)

    def levels(self, images: Tensor, sensor: str) -> dict[str, Tensor]:
        """Of the sensor's target encoder. Not known; ours, as in I-JEPA."""
        return self._target(sensor).levels(images)

    def roles(self) -> Roles:
        """Descriptors come from the encoders that follow the trained ones."""
        return Roles(list(self.targets.values()), [*self.predictors.values(), self.query], list(self.encoders.values()))

    def paper_parameters(self) -> int:
        """The two trained encoders alone, positions not counted (172.86 M)."""
        return sum(p.numel() for p in self.encoders.parameters())

    def _target(self, sensor: str) -> Encoder:
        return cast("Encoder", self.targets[sensor])

    def _factor(self, device: torch.device) -> Tensor:
        """L of PSA's matrix M = L L^T, its trace the width."""
        if self.config.psa_matrix == "learned":
            return normalised_factor(self.psa_factor)
        if self.config.psa_matrix == "covariance":
            return shrinkage_factor(self.covariance, self.config.psa_shrinkage)
        return torch.eye(self.config.width, device=device)

    def _moments(self, target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Sums that the covariance of target features, of both sensors together, is made from."""
        if self.config.psa_matrix != "covariance":
            return {}
        features = torch.cat([values.flatten(0, 1) for values in target.values()])
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        with in_full(features):
            products = features.T @ features
        return {
            "features": features.sum(dim=0),
            "products": products,
            "tokens": features.new_tensor(len(features)),
        }


def _distance_of_sets(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square distance of two sets' means plus that of their covariances; (images, width) each."""
    mean = (((a.mean(dim=0) - b.mean(dim=0)) ** 2).mean() + 1e-6).sqrt()
    covariance = (((a.T.cov() - b.T.cov()) ** 2).mean() + 1e-6).sqrt()
    return mean + covariance
