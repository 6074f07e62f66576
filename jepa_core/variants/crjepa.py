"""CR-JEPA: cross-sensor retrieval with a shared trunk, three predictors and two heads.

Hossain, Patel, Dube, Banerjee 2026, "CR-JEPA" (arXiv 2606.00706), section 3 and supplement. No public code exists;
where the paper is silent the choice is ours, and the field's doc line says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jepa_core.losses.infonce import cosine_gap, symmetric_infonce
from jepa_core.losses.latent import latent_mse
from jepa_core.losses.sigreg import sigreg
from jepa_core.nn.cross_predictor import CrossPredictor
from jepa_core.nn.head import retrieval_head
from jepa_core.nn.masking import random_mask, take
from jepa_core.nn.stem import Stem
from jepa_core.nn.trunk import Trunk
from jepa_core.training.config import TrainingConfig
from jepa_core.variants.variant import TrainingLoss, Variant
from jepa_core.vectors import Purpose


@dataclass(frozen=True)
class CRJEPAConfig:
    """Sizes and weights; the defaults are the paper's (size `paper`)."""

    input_size: int = 224
    """Side that images are resized to, pixels."""

    patch_size: int = 16
    """Side of a token, pixels."""

    width: int = 512
    """Features of a token."""

    depth: int = 12
    """Blocks of the trunk."""

    heads: int = 8
    """Attention heads of the trunk; that the predictors have as many is ours."""

    mlp_ratio: float = 4.0
    """Hidden width of an MLP over the block's. Not stated; 4 fits the published parameter count."""

    predictor_depth: int = 6
    """Blocks of each predictor."""

    head_hidden: tuple[int, ...] = (512, 1024)
    """Hidden layers of each head. Not stated; ours, fitting the published count within 0.02 M."""

    dimension: int = 256
    """Dimension of the descriptors."""

    mask_ratio: float = 0.5
    """Share of tokens that is masked. That both sensors of a pair share the mask is our reading."""

    temperature: float = 0.07
    """Of InfoNCE. Not stated; ours, CLIP's."""

    weight_prediction: float = 1.0
    """Of each of the four latent routes, for which the paper has a weight each. Not stated; ours."""

    weight_cross: float = 1.0
    """Of InfoNCE on the cross head. Not stated; ours."""

    weight_uni: float = 1.0
    """Of InfoNCE plus cosine on the same-sensor head. Not stated; ours."""

    weight_sigreg: float = 0.02
    """Of SIGReg. Not stated; LeJEPA's minimal example."""

    sigreg_slices: int = 256
    """Random directions J. Not stated; LeJEPA's minimal example."""

    sigreg_knots: int = 17
    """Points K of the characteristic function. Not stated; LeJEPA's code."""

    stop_gradient: bool = True
    """Targets carry no gradient. The paper writes none; ours, against shrinking features."""

    normalise_targets: bool = True
    """Targets are layer-normed without parameters. Not stated; ours, I-JEPA's."""


SIZES = {
    # 36 tokens: 120 pixels of 10 m in squares of 200 m. Trains in minutes on two CPU cores.
    "tiny": CRJEPAConfig(
        input_size=120,
        patch_size=20,
        width=128,
        depth=4,
        heads=4,
        predictor_depth=2,
        head_hidden=(256,),
    ),
    "paper": CRJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig(
        epochs=300,
        batch_size=32,
        start_learning_rate=5e-5,
        peak_learning_rate=5e-4,
        warmup_epochs=30,
        checkpoint_seconds=10.0,
    ),
    "paper": TrainingConfig(),
}


class CRJEPA(Variant):
    """Two stems, one trunk; predictors within each sensor and across; a head for each kind of search."""

    def __init__(self, config: CRJEPAConfig, bands: Mapping[str, int]) -> None:
        """Builds the network with random weights, from torch's global generator.

        Args:
            config: sizes and weights.
            bands: number of bands of each of the two sensors, by sensor name.

        Raises:
            ValueError: not exactly two sensors.
        """
        super().__init__()
        if len(bands) != 2:
            raise ValueError(f"CR-JEPA takes two sensors, not {len(bands)}: {', '.join(bands)}")
        self.config = config
        self.sensors = tuple(bands)
        c = config
        tokens = (c.input_size // c.patch_size) ** 2
        self.stems = nn.ModuleDict({name: Stem(n, c.input_size, c.patch_size, c.width) for name, n in bands.items()})
        self.trunk = Trunk(c.width, c.depth, c.heads, c.mlp_ratio)

        def predictor() -> CrossPredictor:
            return CrossPredictor(c.width, c.predictor_depth, c.heads, c.mlp_ratio, tokens)

        self.predict_same = nn.ModuleDict({name: predictor() for name in bands})
        self.predict_cross = predictor()
        self.head_same = retrieval_head(c.width, c.head_hidden, c.dimension)
        self.head_cross = retrieval_head(c.width, c.head_hidden, c.dimension)
        self.tokens = tokens

    def training_loss(self, batch: Mapping[str, Tensor], generator: Generator) -> TrainingLoss:
        """L = L_pred + L_cross + L_uni + SIGReg, each with its weight (section 3)."""
        c = self.config
        a, b = self.sensors
        count = len(batch[a])
        visible, masked = (
            index.to(batch[a].device) for index in random_mask(count, self.tokens, c.mask_ratio, generator)
        )
        tokens = {name: self._tokens(batch[name], name) for name in (a, b)}
        # The trunk runs on the visible and on the masked tokens apart: neither sees the other.
        context = {name: self.trunk(take(tokens[name], visible)) for name in (a, b)}
        target = {name: self._targets(take(tokens[name], masked)) for name in (a, b)}

        routes = {
            "aa": latent_mse(self.predict_same[a](context[a], masked), target[a]),
            "bb": latent_mse(self.predict_same[b](context[b], masked), target[b]),
            "ab": latent_mse(self.predict_cross(context[a], masked), target[b]),
            "ba": latent_mse(self.predict_cross(context[b], masked), target[a]),
        }
        pooled = {name: context[name].mean(dim=1) for name in (a, b)}
        same = {name: self.head_same(pooled[name]) for name in (a, b)}
        cross = {name: self.head_cross(pooled[name]) for name in (a, b)}
        unit_same = {name: F.normalize(r, dim=-1) for name, r in same.items()}
        unit_cross = {name: F.normalize(r, dim=-1) for name, r in cross.items()}

        loss_cross = symmetric_infonce(unit_cross[a], unit_cross[b], c.temperature)
        uni_nce = symmetric_infonce(unit_same[a], unit_same[b], c.temperature)
        uni_cosine = cosine_gap(unit_same[a], unit_same[b])
        raw = [cross[a], cross[b], same[a], same[b]]
        regulariser = torch.stack([sigreg(r, c.sigreg_slices, c.sigreg_knots, "paper", generator) for r in raw]).mean()

        total = (
            c.weight_prediction * sum(routes.values(), torch.zeros((), device=visible.device))
            + c.weight_cross * loss_cross
            + c.weight_uni * (uni_nce + uni_cosine)
            + c.weight_sigreg * regulariser
        )
        terms = {
            **{f"prediction_{name}": value for name, value in routes.items()},
            "cross_infonce": loss_cross,
            "uni_infonce": uni_nce,
            "uni_cosine": uni_cosine,
            "sigreg": regulariser,
        }
        return TrainingLoss(
            total=total,
            terms={name: value.detach() for name, value in terms.items()},
            embeddings={
                **{f"same_{name}": r.detach() for name, r in same.items()},
                **{f"cross_{name}": r.detach() for name, r in cross.items()},
            },
        )

    def describe(self, images: Tensor, sensor: str, purpose: Purpose) -> Tensor:
        """Head of the purpose over the mean of all tokens. Pooling at test time is not stated; ours."""
        pooled = self.trunk(self._tokens(images, sensor)).mean(dim=1)
        head = self.head_same if purpose == "same" else self.head_cross
        return F.normalize(head(pooled), dim=-1)

    def _tokens(self, images: Tensor, sensor: str) -> Tensor:
        side = self.config.input_size
        if images.shape[-2:] != (side, side):
            images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
        tokens: Tensor = self.stems[sensor](images)
        return tokens

    def _targets(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.trunk(tokens)
        if self.config.normalise_targets:
            features = F.layer_norm(features, features.shape[-1:])
        return features.detach() if self.config.stop_gradient else features
