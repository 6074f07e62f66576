"""REJEPA: predict the features of half of an image's tokens from the other, scattered half; an encoder a sensor.

Choudhury, Salunkhe, Mehrotra, Banerjee 2025, "REJEPA" (arXiv 2504.03169). No public code exists, and the paper's text
could not be read: certain are the abstract's context of spatially distributed tokens, prediction of target tokens in
feature space and VICReg against collapse, and that the published parameter count is that of two ViT-B/16 and a
predictor of depth 12 and width 384. All else is our reading, said so at its field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Generator, Tensor

from jepa_core.bounds import Count, Share, Weight
from jepa_core.losses.latent import latent_mse
from jepa_core.losses.vicreg import covariance_penalty, invariance, variance_hinge
from jepa_core.nn.block_masking import block_masks
from jepa_core.nn.ema import follow, follower
from jepa_core.nn.encoder import Encoder, MaskedEncoderConfig
from jepa_core.nn.masking import mean_over, random_mask, scatter, take
from jepa_core.nn.narrow_predictor import NarrowPredictor
from jepa_core.training.config import TrainingConfig
from jepa_core.variants import ijepa
from jepa_core.variants.per_sensor import PerSensor, SensorLoss, SensorNetwork
from jepa_core.variants.variant import Roles


@dataclass(frozen=True)
class REJEPAConfig(MaskedEncoderConfig):
    """Sizes and weights; the defaults fit the published parameter count (size `paper`).

    Predictors have as many attention heads as the encoder.
    """

    predictor_width: Count = 384
    """Features of a token in the predictor."""

    predictor_depth: Count = 12
    """Blocks of the predictor."""

    target_ratio: Share = 0.5
    """Share of tokens to predict, at random places; the context is the rest. The paper ablates a masking ratio, whose
    values are not known; ours."""

    targets: Literal["rest", "blocks"] = "rest"
    """What is predicted: all tokens that are not context, or I-JEPA's four blocks, the context being scattered over
    the tokens that they leave. Not known; ours."""

    weight_prediction: Weight = 1.0
    """Of the squared error of predicted features. Not known; ours."""

    weight_vicreg: Weight = 0.02
    """Of VICReg as a whole: its published inner weights are made for a loss of their own. Not known; ours."""

    vicreg_invariance: Weight = 25.0
    """Inside VICReg, of pooled prediction against pooled target. Not known; VICReg's own."""

    vicreg_variance: Weight = 25.0
    """Inside VICReg, of the pooled context and the pooled prediction. Not known; VICReg's own."""

    vicreg_covariance: Weight = 1.0
    """Inside VICReg, of the same. Not known; VICReg's own."""


SIZES = {
    # 36 tokens: 120 pixels of 10 m in squares of 200 m. Trains in minutes on two CPU cores.
    "tiny": REJEPAConfig(
        input_size=120, patch_size=20, stem="hmlp", width=128, depth=4, heads=4, predictor_width=64, predictor_depth=2
    ),
    # 144 tokens of 100 m.
    "small": REJEPAConfig(
        input_size=120, patch_size=10, stem="hmlp", width=384, heads=6, predictor_width=192, predictor_depth=6
    ),
    "paper": REJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig.tiny(end_weight_decay=0.4),
    "small": TrainingConfig.small(end_weight_decay=0.4),
    # Not known; CR-JEPA's rates and batch, which come from the same group, with I-JEPA's decay.
    "paper": TrainingConfig(end_weight_decay=0.4),
}


class REJEPANetwork(SensorNetwork):
    """REJEPA on one sensor."""

    def __init__(self, config: REJEPAConfig, bands: int) -> None:
        """Random weights, from torch's global generator."""
        super().__init__()
        c = self.config = config
        self.encoder = Encoder(c, bands)
        self.target = follower(self.encoder)
        self.predictor = NarrowPredictor(
            c.width, c.predictor_width, c.predictor_depth, c.heads, c.mlp_ratio, self.encoder.grid
        )

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Scattered context tokens, and targets."""
        rows, columns = self.encoder.grid
        context, rest = random_mask(batch, rows * columns, self.config.target_ratio, generator)
        if self.config.targets == "rest":
            return {"context": context, "targets": rest[:, None]}
        released = ijepa.IJEPAConfig()
        masks = block_masks(
            batch,
            rows,
            columns,
            released.target_blocks,
            released.target_scale,
            released.target_aspect,
            context_scale=(1.0, 1.0),
            least_context=1,
            generator=generator,
        )
        kept, present = scatter(masks.context, masks.present, context.shape[1], generator)
        return {"context": kept, "present": present, "targets": masks.targets}

    def forward(self, images: Tensor, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predicts the layer-normed features of the targets from the context's."""
        seen, wanted, present = drawn["context"], drawn["targets"], drawn.get("present")
        context = self.encoder(images, seen, present)
        predicted = self.predictor(context, seen, wanted, present).flatten(1, 2)
        features = self.target.targets(images)
        target = take(features, wanted.flatten(1))
        pooled = context.mean(dim=1) if present is None else mean_over(context, present)
        return {
            "prediction": latent_mse(predicted, target),
            "context": pooled,
            "predicted": predicted.mean(dim=1),
            "target": target.mean(dim=1),
            "likeness": F.cosine_similarity(pooled.detach(), features.mean(dim=1), dim=-1),
        }

    def loss(self, rows: Mapping[str, Tensor]) -> SensorLoss:
        """Squared error of the prediction plus VICReg on pooled vectors, which are our reading's."""
        c = self.config
        pooled = (rows["context"], rows["predicted"])
        terms = {
            "prediction": rows["prediction"].mean(),
            "vicreg_invariance": invariance(rows["predicted"], rows["target"]),
            "vicreg_variance": (variance_hinge(pooled[0]) + variance_hinge(pooled[1])) / 2,
            "vicreg_covariance": covariance_penalty(pooled[0]) + covariance_penalty(pooled[1]),
        }
        vicreg = (
            c.vicreg_invariance * terms["vicreg_invariance"]
            + c.vicreg_variance * terms["vicreg_variance"]
            + c.vicreg_covariance * terms["vicreg_covariance"]
        )
        total = c.weight_prediction * terms["prediction"] + c.weight_vicreg * vicreg
        return SensorLoss(
            total, terms | {"target_context_cosine": rows["likeness"].mean()}, {"context": rows["context"]}
        )

    def after_step(self, momentum: float) -> None:
        """The target encoder follows."""
        follow(self.target, self.encoder, momentum)

    def levels(self, images: Tensor) -> dict[str, Tensor]:
        """Of the target encoder, as in I-JEPA. Not known; ours."""
        return self.target.levels(images)

    def roles(self) -> Roles:
        """Descriptors come from the encoder that follows the trained one."""
        return Roles([self.target], [self.predictor], [self.encoder])

    def paper_parameters(self) -> int:
        """Both encoders and the predictor, their tables of positions included, though these are fixed (197.09 M)."""
        modules = (self.encoder, self.target, self.predictor)
        positions = (self.encoder.stem.position, self.target.stem.position, self.predictor.position)
        trained = sum(p.numel() for module in modules for p in module.parameters())
        return trained + sum(table.numel() for table in positions)


class REJEPA(PerSensor):
    """A REJEPA a sensor."""

    network = REJEPANetwork
    # VICReg evens out what the trunk gives: whitening takes away from it.
    whitened = ("stem",)
