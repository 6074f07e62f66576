"""CBRSIR_VS, on small files of the layout that is read."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from jepa_core.datasets.cbrsir_vs import OPTICAL, SAR, Expected, open_cbrsir_vs
from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.datasets.registry import open_set
from tests.jepa_core.datasets.conftest import jpeg, picture

EXPECTED = Expected(pairs=20, classes=2)


def png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def echo(number):
    return np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    for name in ("bridge", "farmland"):
        for folder in ("VIS", "Sentinel1_SAR"):
            (tmp_path / folder / name).mkdir(parents=True)
        for n in range(10):
            (tmp_path / "VIS" / name / f"{n:04d}.jpg").write_bytes(jpeg(picture(n, side=256)))
            grey = echo(n)
            radar = grey if name == "bridge" else np.stack([grey] * 3, axis=-1)
            (tmp_path / "Sentinel1_SAR" / name / f"{n:04d}.png").write_bytes(png(radar))
    return tmp_path


def test_pairs_bear_one_name_and_lie_in_one_row(root):
    found = open_cbrsir_vs(root, EXPECTED)
    assert found.sensors == (OPTICAL, SAR)
    assert found.classes == ("bridge", "farmland")
    rows = np.array([17, 4])
    assert found.ids[rows].tolist() == ["farmland/0007", "bridge/0004"]
    radar, optical = found.read(SAR, rows), found.read(OPTICAL, rows)
    assert np.array_equal(radar[:, 0], np.stack([echo(7), echo(4)]))
    assert optical.shape == (2, 3, 256, 256)
    assert abs(optical[0].astype(int) - picture(7, side=256).transpose(2, 0, 1)).mean() < 5
    assert Counter(found.splits.tolist()) == {"train": 14, "val": 2, "test": 4}
    assert any("unverified" in note for note in found.notes)


def test_images_without_a_partner_are_counted(root):
    (root / "VIS" / "bridge" / "0003.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 images in .* have no partner, bridge/0003 first"):
        open_cbrsir_vs(root, EXPECTED)


def test_another_number_of_pairs_is_said(root):
    with pytest.raises(DatasetError, match="holds 20 pairs of 2 classes, CBRSIR_VS has 26901 of 10"):
        open_set("cbrsir-vs", root)


def test_folders_that_do_not_tell_the_sensors_apart_are_said(root):
    (root / "VIS").rename(root / "sar too")
    with pytest.raises(
        DatasetError, match="two folders, one with 'sar' in its name; there are: Sentinel1_SAR, sar too"
    ):
        open_cbrsir_vs(root, EXPECTED)
    with pytest.raises(DatasetError, match="is no folder"):
        open_cbrsir_vs(root / "nowhere", EXPECTED)


def test_broken_images_and_other_kinds_of_values_are_named(root):
    folder = root / "Sentinel1_SAR" / "bridge"
    (folder / "0000.png").write_bytes(b"\x89PNG")
    (folder / "0001.png").write_bytes(png(echo(1).astype(np.uint16) * 200))
    (folder / "0002.png").write_bytes(png(echo(2)[:32]))
    found = open_cbrsir_vs(root, EXPECTED)
    for row, complaint in (
        (0, r"0000\.png is no readable picture"),
        (1, r"0001\.png is of mode I;16, not 8-bit intensity"),
        (2, r"0002\.png is of shape \(1, 32, 64\)"),
    ):
        with pytest.raises(DatasetError, match=complaint):
            found.read(SAR, np.array([row]))
