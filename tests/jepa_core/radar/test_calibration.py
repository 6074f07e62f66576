import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from jepa_core.archive.scene import ArchiveError
from jepa_core.radar.calibration import read_calibration, read_noise
from tests.jepa_core.radar.products import Image

IMAGE = Image()


def surface(line, pixel):
    return 400.0 + 0.1 * line + 0.05 * pixel + 1e-5 * line * pixel


@pytest.mark.parametrize("window", [(0, 900, 0, 1300), (290, 30, 77, 5), (899, 1, 1299, 1), (0, 1, 0, 1)])
def test_calibration_is_bilinear_between_vectors(window):
    # A bilinear surface comes back exactly, also where vectors have values at different samples.
    vectors = [(-50, np.arange(0, 1400, 100)), (300, np.array([0, 1299])), (951, np.array([0, 10, 800, 1299]))]
    calibration = read_calibration(IMAGE.calibration(surface, vectors), "c.xml")
    assert calibration.polarisation == "VV"
    first, lines, start, samples = window
    line, pixel = np.arange(first, first + lines)[:, None], np.arange(start, start + samples)[None]
    np.testing.assert_allclose(calibration.sigma_nought.block(*window), surface(line, pixel), rtol=1e-6)


def test_calibration_that_curves_is_what_another_hand_interpolates():
    pixels, lines = np.arange(0, 1301, 50), (-50, 300, 700, 950)
    vectors = [(line, pixels) for line in lines]
    table = np.array([500 + 50 * np.sin(pixels / 90 + line) for line in lines])
    read = read_calibration(IMAGE.calibration(lambda n, p: 500 + 50 * np.sin(p / 90 + n), vectors), "c.xml")
    other = RegularGridInterpolator((lines, pixels), table)
    line, pixel = np.meshgrid(np.arange(900), np.arange(1300), indexing="ij")
    np.testing.assert_allclose(read.sigma_nought.block(0, 900, 0, 1300), other((line, pixel)), rtol=1e-6)


def test_beyond_the_vectors_values_stay_and_one_vector_is_enough():
    read = read_calibration(IMAGE.calibration(surface, [(100, np.array([10, 20]))]), "c.xml")
    block = read.sigma_nought.block(0, 300, 0, 40)
    assert (block == block[0]).all()
    np.testing.assert_allclose(block[0, [0, 10, 15, 20, 39]], surface(100, np.array([10, 10, 15, 20, 20])))


def test_noise_of_the_old_format():
    noise = read_noise(IMAGE.old_noise(surface), "n.xml")
    line, pixel = np.arange(900)[:, None], np.arange(1300)[None]
    np.testing.assert_allclose(noise.block(0, 900, 0, 1300), surface(line, pixel), rtol=1e-6)


def test_noise_of_the_new_format_is_range_times_azimuth_by_block():
    lines = np.arange(0, 900, 30)
    factors = 1 + 0.3 * np.sin(lines / 50)
    blocks = [(0, 899, 0, 499, lines, factors), (0, 449, 500, 1299, lines, 2 * factors)]
    # A block may have a single factor.
    blocks.append((450, 899, 500, 1299, np.array([450]), np.array([0.5])))
    noise = read_noise(IMAGE.new_noise(surface, blocks), "n.xml")
    line, pixel = np.arange(900)[:, None], np.arange(1300)[None]
    curve = np.interp(np.arange(900), lines, factors)[:, None]
    right = np.where(line < 450, 2 * curve, 0.5)
    truth = surface(line, pixel) * np.where(pixel < 500, curve, right)
    np.testing.assert_allclose(noise.block(0, 900, 0, 1300), truth, rtol=1e-6)
    # Windows that cross the blocks' edges say the same.
    np.testing.assert_allclose(noise.block(440, 20, 490, 20), truth[440:460, 490:510], rtol=1e-6)


def test_where_no_block_lies_noise_is_that_along_range():
    noise = read_noise(IMAGE.new_noise(surface), "n.xml")
    np.testing.assert_allclose(noise.block(7, 1, 9, 1), [[surface(7, 9)]], rtol=1e-6)


GOOD = IMAGE.calibration()


@pytest.mark.parametrize(
    ("read", "data", "says"),
    [
        (read_calibration, b"<calibration/>", "no calibration vectors"),
        (read_calibration, IMAGE.new_noise(), "no calibration vectors"),
        (read_noise, GOOD, "no noise vectors"),
        (read_calibration, GOOD.replace(b"<line>300<", b"<line>x<"), "line is 'x', not a number"),
        (read_calibration, IMAGE.calibration(lambda n, p: 0.0 * p), "not above 0"),
        (read_calibration, GOOD.replace(b">0 40 ", b">0 "), "33 of pixel for 34 of sigmaNought"),
        (read_calibration, GOOD.replace(b">0 40 ", b">40 0 "), "pixel of a vector does not grow"),
        (read_calibration, GOOD.replace(b"5.000000000e+02 ", b"nan "), "not finite"),
        (read_calibration, GOOD.replace(b"5.000000000e+02 ", b"many "), "not a number"),
        (read_noise, IMAGE.new_noise(blocks=[(0, 9, 0, 9, np.arange(2), np.ones(3))]), "2 of line for 3 of noiseAz"),
    ],
)
def test_tables_that_make_no_sense_are_refused_by_name(read, data, says):
    with pytest.raises(ArchiveError, match=says) as error:
        read(data, "c.xml")
    assert "c.xml" in str(error.value)
