"""From the cache to batches: order, augmentation and normalisation, all a function of seed and step."""

import numpy as np
import torch
from torch import Generator, Tensor

from jepa_core.statistics import normalise
from jepa_core.training.cache import TrainingCache

_ORDER, _AUGMENTATION, _MODEL = 0, 1, 2


def generator_for(seed: int, purpose: int, index: int) -> Generator:
    """A CPU generator that depends on the three numbers alone, so that a resumed run draws what it would have drawn."""
    state = np.random.SeedSequence((seed, purpose, index)).generate_state(1, np.uint64)[0]
    return Generator().manual_seed(int(state) >> 1)


def model_generator(seed: int, step: int) -> Generator:
    """What a step's masks and slices are drawn from."""
    return generator_for(seed, _MODEL, step)


def steps_per_epoch(pairs: int, batch_size: int) -> int:
    """Full batches in an epoch; pairs that fill none are left to other epochs' orders."""
    return max(pairs // min(batch_size, pairs), 1)


def batch_at(
    cache: TrainingCache, step: int, batch_size: int, seed: int, paired: bool, share: slice
) -> dict[str, Tensor]:
    """Normalised, augmented images of one step, or of one process's share of it.

    Flips and quarter turns, the same for both sensors of a pair: the only ones that move no pixel off its place.

    Args:
        cache: the training pairs.
        step: counts from 0.
        batch_size: pairs of the whole batch; all where there are fewer.
        seed: of order and augmentation.
        paired: whether row i of each sensor is of one pair; otherwise each sensor has an order and turns of its own.
        share: rows of the batch that are wanted.

    Returns:
        By sensor name, float32 (rows of the share, bands, y, x).
    """
    size = min(batch_size, len(cache))
    epoch, position = divmod(step, steps_per_epoch(len(cache), batch_size))
    batch = {}
    for number, (name, pixels) in enumerate(cache.pixels.items()):
        # Purposes below 10 are of the first sensor, and of all where they go in pairs.
        apart = 0 if paired else 10 * number
        order = torch.randperm(len(cache), generator=generator_for(seed, _ORDER + apart, epoch)).numpy()
        turns = torch.randint(8, (size,), generator=generator_for(seed, _AUGMENTATION + apart, step)).numpy()
        # Ascending rows are read faster from a memory map; order within a batch means nothing.
        rows = np.sort(order[position * size : (position + 1) * size])[share]
        images = normalise(pixels[rows], cache.sensors[name], cache.statistics[name])
        turned = np.stack([dihedral(image, int(k)) for image, k in zip(images, turns[share], strict=True)])
        batch[name] = torch.from_numpy(turned)
    return batch


def dihedral(image: np.ndarray, which: int) -> np.ndarray:
    """One of the eight symmetries of the square, applied to (bands, y, x); 0 leaves it as it is."""
    turned = np.rot90(image, which % 4, axes=(1, 2))
    return turned[:, :, ::-1] if which >= 4 else turned
