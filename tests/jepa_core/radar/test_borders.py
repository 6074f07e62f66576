import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from jepa_core.radar.borders import Borders

LINES, SAMPLES, NOISE = 1400, 1800, 900.0


def speckled(power, seed=0):
    """Amplitudes of 4.4 looks, as IW GRD has, and as GRD blurred over neighbours; whole numbers."""
    rng = np.random.default_rng(seed)
    field = sum(gaussian_filter(rng.normal(size=power.shape), 0.6) ** 2 for _ in range(9))
    return np.rint(np.sqrt(power * field / field.mean())).astype("uint16")


def land():
    return np.full((LINES, SAMPLES), 100.0**2 + NOISE)


def mask_of(amplitudes, noise=True, step=217):
    """The mask of the whole image, pieced together from windows."""

    def window(a, b, c, d):
        return amplitudes[a : a + b, c : c + d]

    def flat(a, b, c, d):
        return np.full((b, d), NOISE, "float32")

    borders = Borders(*amplitudes.shape, window, flat if noise else None)
    found = np.zeros(amplitudes.shape, bool)
    for line in range(0, amplitudes.shape[0], step):
        for sample in range(0, amplitudes.shape[1], step):
            lines, samples = min(step, amplitudes.shape[0] - line), min(step, amplitudes.shape[1] - sample)
            part = borders.mask(line, lines, sample, samples)
            if part is not None:
                found[line : line + lines, sample : sample + samples] = part
    return found


def fringed(amplitudes, seed=1):
    """Low values where there should be zeros: ragged along range edges, in steps per swath at start and stop."""
    rng = np.random.default_rng(seed)
    line, sample = np.arange(LINES)[:, None], np.arange(SAMPLES)[None]
    fringe = (sample < 60 + 10 * np.sin(line / 80)) | (sample >= SAMPLES - 120)
    fringe |= (sample < 700) & (line < 180) | (sample >= 700) & (line < 90) | (line >= LINES - 40)
    low = rng.poisson(4, amplitudes.shape)
    # A few are brighter than any threshold.
    low = np.where(rng.random(amplitudes.shape) < 0.01, rng.integers(20, 50, amplitudes.shape), low)
    return np.where(fringe, low, amplitudes).astype("uint16"), fringe


@pytest.mark.parametrize("noise", [True, False])
def test_a_fringe_is_dropped_and_the_land_behind_it_stays(noise):
    amplitudes, fringe = fringed(speckled(land()))
    mask = mask_of(amplitudes, noise)
    assert mask[fringe].mean() > 0.995
    assert mask[~fringe].mean() < 0.0005


def test_a_fringe_before_the_sea_takes_little_of_the_sea():
    # Calm water gives back nothing: all that is there is noise.
    amplitudes, fringe = fringed(speckled(np.full((LINES, SAMPLES), NOISE)))
    mask = mask_of(amplitudes)
    assert mask[fringe].mean() > 0.995
    # A pixel or two, all around.
    assert mask[~fringe].sum() < 2 * 2 * (LINES + SAMPLES)


def test_dark_lakes_stay_whether_inside_or_at_the_edge():
    power = land()
    power[600:900, 700:1100] = NOISE
    power[300:1200, :400] = NOISE
    power[1100:, 500:1500] = NOISE
    assert not mask_of(speckled(power)).any()


def test_a_clean_product_is_left_as_it_is():
    # Zeros at the edges, wider than any limit at one corner, and water next to them.
    power = land()
    power[:, 200:500] = NOISE
    amplitudes = np.maximum(speckled(power), 1)
    amplitudes[:, :30] = 0
    amplitudes[:, -45:] = 0
    amplitudes[:600, :700] = 0
    assert not mask_of(amplitudes)[amplitudes > 0].any()


def test_an_image_of_nothing_and_one_smaller_than_the_limit_are_no_trouble():
    assert not mask_of(np.zeros((40, 30), "uint16")).any()
    assert not mask_of(np.full((5, 3), 200, "uint16")).any()
    assert mask_of(np.full((40, 30), 3, "uint16")).all()
