"""CR-JEPA: cross-sensor retrieval with a shared trunk, three predictors and two heads.

Hossain, Patel, Dube, Banerjee 2026, "CR-JEPA" (arXiv 2606.00706), section 3 and supplement. No public code exists;
where the paper is silent the choice is ours, and the field's doc line says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from jepa_core.bounds import Count, Positive, Share, Weight
from jepa_core.losses.infonce import cosine_gap, symmetric_infonce
from jepa_core.losses.latent import latent_mse
from jepa_core.losses.sigreg import sigreg
from jepa_core.nn.cross_predictor import CrossPredictor
from jepa_core.nn.ema import follow, follower
from jepa_core.nn.head import retrieval_head
from jepa_core.nn.masking import random_mask, take
from jepa_core.nn.pooling import mean_and_deviation
from jepa_core.nn.stem import Stem, StemKind
from jepa_core.nn.trunk import Trunk
from jepa_core.training.config import TrainingConfig
from jepa_core.variants.variant import Encoded, Roles, TrainingLoss, Variant
from jepa_core.vectors import PURPOSES, Purpose

ROUTES = ("aa", "bb", "ab", "ba")
"""All latent predictions of two sensors, a and b."""

PREDICTORS = {
    "final": {"aa": "aa", "bb": "bb", "ab": "cross", "ba": "cross"},
    "independent": {"aa": "aa", "bb": "bb", "ab": "ab", "ba": "ba"},
    "same and cross": {"aa": "same", "bb": "same", "ab": "cross", "ba": "cross"},
    "same": {"aa": "same", "bb": "same", "ab": "ab", "ba": "ba"},
    "one": dict.fromkeys(ROUTES, "one"),
}
"""Predictor of each route, by kind of sharing."""


@dataclass(frozen=True)
class CRJEPAConfig:
    """Sizes and weights; the defaults are the paper's (size `paper`)."""

    input_size: Count = 224
    """Side that images are resized to, pixels."""

    patch_size: Count = 16
    """Side of a token, pixels."""

    width: Count = 512
    """Features of a token."""

    depth: Count = 12
    """Blocks of the trunk."""

    heads: Count = 8
    """Attention heads of the trunk; that the predictors have as many is ours."""

    mlp_ratio: Positive = 4.0
    """Hidden width of an MLP over the block's. Not stated; 4 fits the published parameter count."""

    stem: StemKind = "linear"
    """How a patch becomes a token. The paper's is linear; with several layers and batch norm retrieval is better by far
    at the sizes that train in minutes or hours (`docs/results.md`)."""

    predictor_depth: Count = 6
    """Blocks of each predictor."""

    head_hidden: tuple[Count, ...] = (512, 1024)
    """Hidden layers of each head. Not stated; ours, fitting the published count within 0.02 M."""

    dimension: Count = 256
    """Dimension of each head's projection."""

    mask_ratio: Share = 0.5
    """Share of tokens that is masked, in each sensor at places of its own. That is our reading, which the paper's
    positions p_M^(b) allow: with one mask for both, where the visible tokens lie tells InfoNCE which images are a pair,
    and retrieval falls as that is learned (`docs/results.md`)."""

    temperature: Positive = 0.07
    """Of InfoNCE. Not stated; ours, CLIP's."""

    routes: tuple[str, ...] = ROUTES
    """Latent predictions, from the first letter's sensor to the second's; `a` is the first sensor. Ablated in table
    S2(b)."""

    sharing: Literal["final", "independent", "same and cross", "same", "one"] = "final"
    """Which routes have a predictor in common (table S3): the two across, the published choice; none; the two within
    and the two across; the two within; all."""

    separate_trunks: bool = False
    """A trunk a sensor, instead of one for both (table S5)."""

    single_head: bool = False
    """One head instead of two, with InfoNCE and cosine, and SIGReg also on the mean of a pair's projections
    (supplement S6, the dual-encoder variant, which has separate trunks besides)."""

    target: Literal["online", "ema"] = "online"
    """What encodes the masked tokens: the trained stems and trunk, as the paper has it, or copies that follow them by
    a moving average, as in I-JEPA."""

    weight_prediction: Weight = 1.0
    """Of each latent route, for which the paper has a weight each. Not stated; ours."""

    weight_cross: Weight = 1.0
    """Of InfoNCE on the cross head; a single head has none. Not stated; ours."""

    weight_uni: Weight = 1.0
    """Of InfoNCE on the same-sensor head, or on the single one. Not stated; ours."""

    weight_uni_cosine: Weight = 1.0
    """Of the cosine on the same head, which the paper adds to InfoNCE without a weight of its own."""

    weight_sigreg: Weight = 0.02
    """Of SIGReg. Not stated; LeJEPA's minimal example."""

    sigreg_weights: Literal["lejepa", "paper"] = "lejepa"
    """Weights of SIGReg's points: LeJEPA's, with which a standard normal batch gives 1, or half of them, as the paper
    writes them."""

    sigreg_slices: Count = 256
    """Random directions J. Not stated; LeJEPA's minimal example."""

    sigreg_knots: Annotated[int, Field(ge=2)] = 17
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
        stem="hmlp",
        width=128,
        depth=4,
        heads=4,
        predictor_depth=2,
        head_hidden=(256,),
    ),
    # 144 tokens of 100 m.
    "small": CRJEPAConfig(input_size=120, patch_size=10, stem="hmlp", width=384, heads=6, predictor_depth=4),
    "paper": CRJEPAConfig(),
}

RECIPES = {
    "tiny": TrainingConfig.tiny(),
    "small": TrainingConfig.small(),
    "paper": TrainingConfig(),
}


class CRJEPA(Variant):
    """Two stems, one trunk; predictors within each sensor and across; a head for each kind of pull between pairs.

    The paper searches by the heads' projections. InfoNCE has them keep what tells pairs, and more of what a patch shows
    is left in what they are made of: here they serve training alone (`docs/results.md`).
    """

    described_by: Mapping[Purpose, tuple[str, ...]] = {"same": ("stem", "trunk"), "cross": ("trunk",)}
    whitened = ("stem", "trunk")

    def __init__(self, config: CRJEPAConfig, bands: Mapping[str, int]) -> None:
        """Builds the network with random weights, from torch's global generator.

        Args:
            config: sizes and weights.
            bands: number of bands of each of the two sensors, by sensor name.

        Raises:
            ValueError: not exactly two sensors, or a route that there is not.
        """
        super().__init__(bands)
        if len(bands) != 2:
            raise ValueError(f"CR-JEPA takes two sensors, not {len(bands)}: {', '.join(bands)}")
        if not set(config.routes) <= set(ROUTES):
            raise ValueError(f"routes are {', '.join(ROUTES)}, not {', '.join(config.routes)}")
        c = self.config = config
        self.tokens = (c.input_size // c.patch_size) ** 2
        self.stems = nn.ModuleDict(
            {
                name: Stem(count, c.input_size, c.patch_size, c.width, c.stem, learned_positions=True)
                for name, count in bands.items()
            }
        )
        trunks = self.sensors if c.separate_trunks else ("all",)
        self.trunks = nn.ModuleDict({name: Trunk(c.width, c.depth, c.heads, c.mlp_ratio) for name in trunks})
        # Only what a route uses, so that every parameter has a gradient.
        kinds = dict.fromkeys(PREDICTORS[c.sharing][route] for route in c.routes)
        self.predictors = nn.ModuleDict(
            {kind: CrossPredictor(c.width, c.predictor_depth, c.heads, c.mlp_ratio, self.tokens) for kind in kinds}
        )
        self.heads = nn.ModuleDict(
            {
                purpose: retrieval_head(c.width, c.head_hidden, c.dimension)
                for purpose in (("cross",) if c.single_head else PURPOSES)
            }
        )
        if c.target == "ema":
            self.target_stems = follower(self.stems)
            self.target_trunks = follower(self.trunks)

    def draw(self, batch: int, generator: Generator) -> dict[str, Tensor]:
        """Visible and masked tokens of each sensor's image."""
        drawn: dict[str, Tensor] = {}
        for name in self.sensors:
            visible, masked = random_mask(batch, self.tokens, self.config.mask_ratio, generator)
            drawn |= {f"visible_{name}": visible, f"masked_{name}": masked}
        return drawn

    def encode(self, images: Mapping[str, Tensor], drawn: Mapping[str, Tensor]) -> Encoded:
        """Routes of latent prediction, and projections of the mean visible token (section 3)."""
        c = self.config
        letters = dict(zip("ab", self.sensors, strict=True))
        tokens = {name: self.stems[name](images[name]) for name in self.sensors}
        # The trunk runs on the visible and on the masked tokens apart: neither sees the other.
        context = {name: self._trunk(name)(take(tokens[name], drawn[f"visible_{name}"])) for name in self.sensors}
        target = {
            name: self._targets(name, images[name], tokens[name], drawn[f"masked_{name}"]) for name in self.sensors
        }
        rows = {}
        for route in c.routes:
            start, end = (letters[letter] for letter in route)
            predicted = self.predictors[PREDICTORS[c.sharing][route]](context[start], drawn[f"masked_{end}"])
            rows[f"prediction_{route}"] = latent_mse(predicted, target[end])
        for name in self.sensors:
            pooled = context[name].mean(dim=1)
            for purpose, head in self.heads.items():
                rows[f"{purpose}_{name}"] = head(pooled)
            likeness = F.cosine_similarity(pooled.detach(), target[name].detach().mean(dim=1), dim=-1)
            rows[f"likeness_{name}"] = likeness
        return Encoded(rows)

    def combine(self, encoded: Encoded, generator: Generator) -> TrainingLoss:
        """L = L_pred + L_cross + L_uni + SIGReg, each with its weight; a term of weight 0 is left out (section 3)."""
        c, rows = self.config, encoded.rows
        a, b = self.sensors
        raw = {purpose: {name: rows[f"{purpose}_{name}"] for name in (a, b)} for purpose in self.heads}
        unit = {purpose: {k: F.normalize(r, dim=-1) for k, r in of.items()} for purpose, of in raw.items()}
        uni = next(iter(unit.values()))

        weighted: dict[str, tuple[float, Tensor]] = {}
        if c.weight_prediction:
            for route in c.routes:
                weighted[f"prediction_{route}"] = (c.weight_prediction, rows[f"prediction_{route}"].mean())
        if c.weight_cross and not c.single_head:
            cross = symmetric_infonce(unit["cross"][a], unit["cross"][b], c.temperature)
            weighted["cross_infonce"] = (c.weight_cross, cross)
        if c.weight_uni:
            weighted["uni_infonce"] = (c.weight_uni, symmetric_infonce(uni[a], uni[b], c.temperature))
        if c.weight_uni_cosine:
            weighted["uni_cosine"] = (c.weight_uni_cosine, cosine_gap(uni[a], uni[b]))
        if c.weight_sigreg:
            projections = [r for of in raw.values() for r in of.values()]
            if c.single_head:
                projections.append((projections[0] + projections[1]) / 2)
            each = [sigreg(r, c.sigreg_slices, c.sigreg_knots, c.sigreg_weights, generator) for r in projections]
            weighted["sigreg"] = (c.weight_sigreg, torch.stack(each).mean())
        likeness = {f"target_context_cosine_{name}": rows[f"likeness_{name}"].mean() for name in (a, b)}
        return TrainingLoss(
            total=torch.stack([weight * term for weight, term in weighted.values()]).sum(),
            terms={name: term.detach() for name, (_, term) in weighted.items()} | likeness,
            embeddings={purpose: {name: r.detach() for name, r in of.items()} for purpose, of in raw.items()},
        )

    def after_step(self, momentum: float, sums: Mapping[str, Tensor]) -> None:
        """Targets follow, where they are copies."""
        if self.config.target == "ema":
            follow(self.target_stems, self.stems, momentum)
            follow(self.target_trunks, self.trunks, momentum)

    def levels(self, images: Tensor, sensor: str) -> dict[str, Tensor]:
        """The stem's tokens, and the trunk's mean token, which the paper gives to its heads."""
        tokens = self.stems[sensor](images)
        return {
            "stem": mean_and_deviation(tokens),
            "trunk": F.normalize(self._trunk(sensor)(tokens).mean(dim=1), dim=-1),
        }

    def roles(self) -> Roles:
        """Heads are of use in training only: descriptors come from what goes into them."""
        copies = [self.target_stems, self.target_trunks] if self.config.target == "ema" else []
        return Roles([self.stems, self.trunks], [self.predictors, self.heads], copies)

    def paper_parameters(self) -> int:
        """All that is trained (117.93 M)."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def _trunk(self, sensor: str) -> nn.Module:
        return self.trunks[sensor if self.config.separate_trunks else "all"]

    def _targets(self, sensor: str, images: Tensor, tokens: Tensor, masked: Tensor) -> Tensor:
        if self.config.target == "ema":
            tokens = self.target_stems[sensor](images)
            trunk = self.target_trunks[sensor if self.config.separate_trunks else "all"]
        else:
            trunk = self._trunk(sensor)
        features: Tensor = trunk(take(tokens, masked))
        if self.config.normalise_targets:
            features = F.layer_norm(features, features.shape[-1:])
        return features.detach() if self.config.stop_gradient else features
