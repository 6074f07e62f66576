import json

import numpy as np
import rasterio

from jepa_core.archive.sample import ensure_sample
from jepa_core.sensors import SENTINEL1, SENTINEL2
from jepa_core.store import Store
from tests.synthetic import scenes_of


def patches(sample, sensor):
    return {p.name: p for scene in scenes_of(sample, sensor) for p in scene.patches}


def test_sixty_pairs_with_labels_and_splits(sample):
    s1, s2 = patches(sample, SENTINEL1), patches(sample, SENTINEL2)
    assert len(s1) == len(s2) == 60
    for name, patch in s2.items():
        (partner,) = [p for p in s1.values() if p.partner == name]
        assert partner.cell == patch.cell
        assert partner.labels == patch.labels
        assert partner.split == patch.split
    splits = [patch.split for patch in s2.values()]
    assert {split: splits.count(split) for split in set(splits)} == {
        "train": 24,
        "val": 18,
        "test": 18,
    }
    assert all(patch.labels for patch in s2.values())


def test_54_pairs_carry_ben19_labels_of_their_own_and_six_corine_s(sample):
    from_geotiff = 0
    for path in (sample / "BigEarthNet-S2").glob("*/*.json"):
        # Only BigEarthNet's own files say the whole name of the product.
        from_geotiff += json.loads(path.read_text())["tile_source"].endswith(".SAFE")
    assert from_geotiff == 6


def test_pixels_are_measurements_in_their_units(sample):
    constant = 0
    for sensor, low, high in ((SENTINEL1, -60, 40), (SENTINEL2, 0, 20000)):
        for patch in patches(sample, sensor).values():
            for band in sensor.bands:
                with rasterio.open(patch.bands[band.name]) as file:
                    pixels = file.read(1)
                    assert file.res == (band.resolution_m, band.resolution_m)
                assert np.isfinite(pixels).all()
                assert low <= pixels.min() <= pixels.max() <= high
                constant += pixels.std() == 0
    # Open sea may be one value in a coarse band; a band that is constant in more than a few patches was not read.
    assert constant < 10


def test_a_known_patch_holds_the_values_of_its_record(sample):
    # Read off the record with pickletools, before any code of this project was written.
    name = "S2A_MSIL2A_20170613T101031_39_24"
    with rasterio.open(sample / "BigEarthNet-S2" / name / f"{name}_B01.tif") as file:
        np.testing.assert_array_equal(file.read(1)[0, :5], [262, 258, 241, 241, 244])
    s1 = "S1B_IW_GRDH_1SDV_20170613T160455_34VER_39_24"
    with rasterio.open(sample / "BigEarthNet-S1" / s1 / f"{s1}_VV.tif") as file:
        np.testing.assert_allclose(file.read(1)[0, :2], [-20.684748, -22.382862], rtol=1e-6)


def test_attribution_lies_beside_the_data_and_a_second_call_does_nothing(sample):
    assert "Community Data License Agreement" in (sample / "ATTRIBUTION.txt").read_text()
    store = Store.at(sample.parent)
    before = sample.stat().st_mtime_ns
    assert ensure_sample(store) == sample
    assert sample.stat().st_mtime_ns == before
