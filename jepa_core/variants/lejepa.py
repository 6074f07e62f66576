"""LeJEPA on one sensor or on two: views of a place agree, whatever part and whichever sensor they are of.

Balestriero and LeCun 2025, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics" (arXiv
2511.08544): no predictor, no target encoder, no stop-gradient; SIGReg alone keeps views from collapsing. What is ours:
views of both sensors of a pair as views of one place, a head for each kind of search, the stem and the augmentations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from jepa_core.bounds import Count, Positive, Share
from jepa_core.losses.sigreg import sigreg
from jepa_core.losses.views import view_invariance
from jepa_core.nn.conv_stem import ConvStem
from jepa_core.nn.encoder import EncoderConfig
from jepa_core.nn.head import retrieval_head
from jepa_core.nn.stem import resized
from jepa_core.nn.trunk import Trunk
from jepa_core.nn.views import draw_crops, draw_lighting, render
from jepa_core.training.config import TrainingConfig
from jepa_core.variants.variant import Encoded, Roles, TrainingLoss, Variant
from jepa_core.vectors import PURPOSES, Purpose


@dataclass(frozen=True)
class LeJEPAConfig(EncoderConfig):
    """Sizes, views and weights; the defaults are size `paper`, a ViT-B/16 with LeJEPA's views.

    The side of a token is a power of two.
    """

    global_views: Count = 2
    """Large views of an image in each sensor; their mean is what all views are pulled to."""

    global_size: Count = 224
    """Side of a large view, pixels; a multiple of a token's."""

    global_area: tuple[Positive, Positive] = (0.3, 1.0)
    """Least and greatest share of an image that a large view shows."""

    local_views: Annotated[int, Field(ge=0)] = 6
    """Small views of an image in each sensor."""

    local_size: Count = 96
    """Side of a small view, pixels; a multiple of a token's."""

    local_area: tuple[Positive, Positive] = (0.05, 0.3)
    """Least and greatest share of an image that a small view shows."""

    lighting: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """Strength of the changes in gain and offset of a view; see `draw_lighting`."""

    head_hidden: tuple[Count, ...] = (2048, 2048)
    """Hidden layers of each head."""

    dimension: Count = 64
    """Dimension of each head's projection."""

    weight_sigreg: Share = 0.05
    """Lambda: the share of SIGReg in the loss; the rest is that of the views' agreement."""

    sigreg_slices: Count = 256
    """Random directions."""

    sigreg_knots: Annotated[int, Field(ge=2)] = 17
    """Points of the characteristic function."""

    single_head: bool = False
    """Of two sensors all views are one set under one head, which serves both kinds of search. One sensor always has
    one."""


SIZES = {
    # 36 tokens a large view, 16 a small one: patches of 120 pixels at 96. Trains in minutes on two CPU cores.
    "tiny": LeJEPAConfig(
        input_size=96,
        width=128,
        depth=4,
        heads=4,
        global_size=64,
        local_views=2,
        local_size=32,
        local_area=(0.1, 0.3),
        head_hidden=(512, 512),
    ),
    "small": LeJEPAConfig(
        input_size=120, patch_size=8, width=384, heads=6, global_size=96, local_size=48, head_hidden=(1024, 1024)
    ),
    "paper": LeJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig.tiny(peak_learning_rate=1e-3),
    "small": TrainingConfig.small(),
    "paper": TrainingConfig(epochs=100, start_learning_rate=5e-5, peak_learning_rate=5e-4, weight_decay=0.05),
}


class LeJEPA(Variant):
    """A stem a sensor, one trunk, a head for each kind of search or one for both.

    The projections, which the loss compares, keep the kind of place; the mean token beside them keeps more of what
    tells the nearest apart (`docs/lejepa.md`).
    """

    whitened = ("trunk",)

    def __init__(self, config: LeJEPAConfig, bands: Mapping[str, int]) -> None:
        """Builds the network with random weights, from torch's global generator.

        Args:
            config: sizes, views and weights.
            bands: number of bands of one or two sensors, by sensor name.

        Raises:
            ValueError: another number of sensors, or sizes that do not go together.
        """
        super().__init__(bands)
        if len(bands) not in (1, 2):
            raise ValueError(f"LeJEPA takes one sensor or two, not {len(bands)}: {', '.join(bands)}")
        c = self.config = config
        for side in (c.global_size, c.local_size):
            if side % c.patch_size:
                raise ValueError(f"a view of {side} pixels is not cut evenly into tokens of {c.patch_size}")
        self.bands = dict(bands)
        self.paired = len(bands) == 2
        self.stems = nn.ModuleDict(
            {name: ConvStem(count, c.input_size, c.patch_size, c.width) for name, count in bands.items()}
        )
        self.trunk = Trunk(c.width, c.depth, c.heads, c.mlp_ratio)
        purposes: tuple[Purpose, ...] = PURPOSES if self.paired else ("same",)
        if self.paired and c.single_head:
            purposes = ("cross",)
        self.described_by = {purpose: ("trunk", purpose) for purpose in purposes}
        self.heads = nn.ModuleDict(
            {purpose: retrieval_head(c.width, c.head_hidden, c.dimension, batch_norm=True) for purpose in purposes}
        )

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Each sensor's views of each image, drawn apart: two sensors' views of a place overlap by chance."""
        c = self.config
        views = {"global": (c.global_views, c.global_area), "local": (c.local_views, c.local_area)}
        drawn = {}
        for name, bands in self.bands.items():
            for kind, (count, area) in views.items():
                drawn[f"{kind}_crops_{name}"] = draw_crops(batch, count, area, generator)
                drawn[f"{kind}_lighting_{name}"] = draw_lighting(batch, count, bands, c.lighting, generator)
        return drawn

    def encode(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> Encoded:
        """Projections of all views of each image, large ones first."""
        c = self.config
        sides = {"global": c.global_size} | ({"local": c.local_size} if c.local_views else {})
        rows = {}
        for name in self.sensors:
            pooled = []
            for kind, side in sides.items():
                views = render(images[name], drawn[f"{kind}_crops_{name}"], drawn[f"{kind}_lighting_{name}"], side)
                pooled.append(self._pooled(views, name).reshape(len(images[name]), -1, c.width))
            every = torch.cat(pooled, dim=1)
            for purpose in self.heads:
                rows[f"{purpose}_{name}"] = self.heads[purpose](every.flatten(0, 1)).reshape(*every.shape[:2], -1)
        return Encoded(rows)

    def combine(self, encoded: Encoded, generator: Generator) -> TrainingLoss:
        """The views' disagreement and SIGReg (LeJEPA section 5).

        Of each sensor's views and of both sensors' as one; with a single head of the latter alone.
        SIGReg looks at one view of every image at a time.
        """
        c, rows = self.config, encoded.rows
        # By what is pulled together: a sensor's views under the same-sensor head, all under the other.
        groups = {}
        if "same" in self.heads:
            groups = {f"same_{name}": [rows[f"same_{name}"]] for name in self.sensors}
        if "cross" in self.heads:
            groups["cross"] = [rows[f"cross_{name}"] for name in self.sensors]
        terms = {}
        for group, members in groups.items():
            large = torch.cat([views[:, : c.global_views] for views in members], dim=1)
            small = torch.cat([views[:, c.global_views :] for views in members], dim=1)
            every = torch.cat([large, small], dim=1)
            terms[f"views_{group}"] = view_invariance(every, large.shape[1])
            each = [sigreg(view, c.sigreg_slices, c.sigreg_knots, "lejepa", generator) for view in every.unbind(1)]
            terms[f"sigreg_{group}"] = torch.stack(each).mean()
        weights = {"views": 1 - c.weight_sigreg, "sigreg": c.weight_sigreg}
        total = torch.stack([weights[name.split("_")[0]] * term for name, term in terms.items()]).sum()
        return TrainingLoss(
            total=total,
            terms={name: term.detach() for name, term in terms.items()},
            embeddings={
                purpose: {name: rows[f"{purpose}_{name}"][:, 0].detach() for name in self.sensors}
                for purpose in self.heads
            },
        )

    def levels(self, images: Tensor, sensor: str) -> dict[str, Tensor]:
        """The mean of all tokens of the whole image, and each head over it."""
        pooled = self._pooled(resized(images, self.config.input_size), sensor)
        heads = {purpose: F.normalize(head(pooled), dim=-1) for purpose, head in self.heads.items()}
        return {"trunk": F.normalize(pooled, dim=-1)} | heads

    def roles(self) -> Roles:
        """Heads belong to the encoder: descriptors come from them. Nothing is of use in training only."""
        return Roles([self.stems, self.trunk, self.heads], [])

    def paper_parameters(self) -> int:
        """All that is trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def _pooled(self, images: Tensor, sensor: str) -> Tensor:
        """The mean token, (batch, width)."""
        features: Tensor = self.trunk(self.stems[sensor](images))
        return features.mean(dim=1)
