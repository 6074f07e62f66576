"""I-JEPA: predict the features of blocks of an image from the rest of it; an encoder a sensor.

Assran et al. 2023, "Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture"
(arXiv 2301.08243), section 3, with the masks of the released configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Generator, Tensor

from jepa_core.bounds import Count, Positive
from jepa_core.losses.latent import latent_smooth_l1
from jepa_core.nn.block_masking import block_masks
from jepa_core.nn.ema import follow, follower
from jepa_core.nn.encoder import Encoder, MaskedEncoderConfig
from jepa_core.nn.masking import mean_over, take
from jepa_core.nn.narrow_predictor import NarrowPredictor
from jepa_core.training.config import TrainingConfig
from jepa_core.variants.per_sensor import PerSensor, SensorLoss, SensorNetwork
from jepa_core.variants.variant import Roles


@dataclass(frozen=True)
class IJEPAConfig(MaskedEncoderConfig):
    """Sizes and masks; the defaults are ViT-B/16 (size `paper`) and the released masks.

    Predictors have as many attention heads as the encoder.
    """

    predictor_width: Count = 384
    """Features of a token in the predictor."""

    predictor_depth: Count = 12
    """Blocks of the predictor."""

    target_blocks: Count = 4
    """Blocks to predict in an image."""

    target_scale: tuple[Positive, Positive] = (0.15, 0.2)
    """Least and largest share of the image that a target block has."""

    target_aspect: tuple[Positive, Positive] = (0.75, 1.5)
    """Least and largest height of a target block over its width."""

    context_scale: tuple[Positive, Positive] = (0.85, 1.0)
    """Least and largest share of the image that the context block has before targets are taken out."""

    least_context: Count = 11
    """Tokens that the context keeps, where the draw can be repeated to have them."""


SIZES = {
    # 36 tokens: 120 pixels of 10 m in squares of 200 m. Trains in minutes on two CPU cores.
    "tiny": IJEPAConfig(
        input_size=120,
        patch_size=20,
        stem="hmlp",
        width=128,
        depth=4,
        heads=4,
        predictor_width=64,
        predictor_depth=2,
        least_context=6,
    ),
    # 144 tokens of 100 m.
    "small": IJEPAConfig(
        input_size=120,
        patch_size=10,
        stem="hmlp",
        width=384,
        heads=6,
        predictor_width=192,
        predictor_depth=6,
    ),
    "paper": IJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig.tiny(end_weight_decay=0.4),
    "small": TrainingConfig.small(end_weight_decay=0.4),
    # The released configuration: batch 2,048, 300 epochs, 40 of warm-up from 2e-4 to 1e-3.
    "paper": TrainingConfig(
        epochs=300,
        batch_size=2048,
        start_learning_rate=2e-4,
        warmup_epochs=40,
        end_weight_decay=0.4,
    ),
}


class IJEPANetwork(SensorNetwork):
    """I-JEPA on one sensor."""

    def __init__(self, config: IJEPAConfig, bands: int) -> None:
        """Random weights, from torch's global generator."""
        super().__init__()
        c = self.config = config
        self.encoder = Encoder(c, bands)
        self.target = follower(self.encoder)
        self.predictor = NarrowPredictor(
            c.width, c.predictor_width, c.predictor_depth, c.heads, c.mlp_ratio, self.encoder.grid
        )

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Multi-block masks."""
        c = self.config
        rows, columns = self.encoder.grid
        masks = block_masks(
            batch,
            rows,
            columns,
            c.target_blocks,
            c.target_scale,
            c.target_aspect,
            c.context_scale,
            c.least_context,
            generator,
        )
        return {"context": masks.context, "present": masks.present, "targets": masks.targets}

    def forward(self, images: Tensor, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predicts the layer-normed features of each target block from the context's."""
        seen, present, wanted = drawn["context"], drawn["present"], drawn["targets"]
        context = self.encoder(images, seen, present)
        predicted = self.predictor(context, seen, wanted, present)
        features = self.target.targets(images)
        target = take(features, wanted.flatten(1)).reshape(predicted.shape)
        pooled = mean_over(context, present)
        return {
            "prediction": latent_smooth_l1(predicted, target),
            "context": pooled,
            "likeness": F.cosine_similarity(pooled.detach(), features.mean(dim=1), dim=-1),
        }

    def loss(self, rows: Mapping[str, Tensor]) -> SensorLoss:
        """Smooth-L1, averaged over images, blocks, tokens and features (released code)."""
        prediction = rows["prediction"].mean()
        terms = {"prediction": prediction, "target_context_cosine": rows["likeness"].mean()}
        return SensorLoss(prediction, terms, {"context": rows["context"]})

    def after_step(self, momentum: float) -> None:
        """The target encoder follows."""
        follow(self.target, self.encoder, momentum)

    def levels(self, images: Tensor) -> dict[str, Tensor]:
        """Of the target encoder, which the paper evaluates; levels and pooling are ours."""
        return self.target.levels(images)

    def roles(self) -> Roles:
        """Descriptors come from the encoder that follows the trained one."""
        return Roles([self.target], [self.predictor], [self.encoder])

    def paper_parameters(self) -> int:
        """The paper names its models by the encoder."""
        return sum(p.numel() for p in self.target.parameters())


class IJEPA(PerSensor):
    """An I-JEPA a sensor."""

    network = IJEPANetwork
    whitened = ("stem", "trunk")
