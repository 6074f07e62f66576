"""Each method small enough for a test, and images for it."""

from dataclasses import replace

import torch

from jepa_core.variants import registry
from jepa_core.variants.crjepa import CRJEPAConfig
from jepa_core.variants.ijepa import IJEPAConfig
from jepa_core.variants.lejepa import LeJEPAConfig
from jepa_core.variants.mae import MAEConfig
from jepa_core.variants.rejepa import REJEPAConfig
from jepa_core.variants.xjepa import XJEPAConfig

BANDS = {"sentinel1": 2, "sentinel2": 12}

_ENCODER = {"input_size": 32, "patch_size": 8, "width": 32, "depth": 2, "heads": 2}
_PREDICTOR = {"predictor_width": 16, "predictor_depth": 1}

CONFIGS = {
    "ijepa": IJEPAConfig(**_ENCODER, **_PREDICTOR, least_context=3),
    "mae": MAEConfig(**_ENCODER, decoder_width=16, decoder_depth=1, decoder_heads=2),
    "rejepa": REJEPAConfig(**_ENCODER, **_PREDICTOR, stem="hmlp"),
    "xjepa": XJEPAConfig(**_ENCODER, **_PREDICTOR, queries=3),
    "crjepa": CRJEPAConfig(
        **_ENCODER, stem="hmlp", predictor_depth=1, head_hidden=(16,), dimension=8, sigreg_slices=16
    ),
    "lejepa": LeJEPAConfig(
        **_ENCODER, global_size=24, local_size=16, local_views=1, head_hidden=(16,), dimension=8, sigreg_slices=16
    ),
}


def built(variant, seed=0, bands=None, **changes):
    """A small method with some fields of its config changed."""
    return registry.build(variant, replace(CONFIGS[variant], **changes), bands or BANDS, seed)


def steadied(model):
    """The same with batch norms that use what they have kept: then no image depends on those beside it."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.eval()
    return model


def batch(count=6, side=32, seed=0, bands=None):
    """Random images of each sensor."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, n, side, side, generator=generator) for name, n in (bands or BANDS).items()}


def loss(model, seed=0, **kwargs):
    return model.training_loss(batch(**kwargs), torch.Generator().manual_seed(seed))


def descend(model, images, steps, rate=2e-3, momentum=0.9, masks=None):
    """Trains on the same images over and over, with new masks each time or with the same; gives the losses."""
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), rate)
    losses = []
    for step in range(steps):
        got = model.training_loss(images, torch.Generator().manual_seed(step if masks is None else masks))
        optimizer.zero_grad()
        got.total.backward()
        optimizer.step()
        model.after_step(momentum, {})
        losses.append(got)
    return losses
