"""EuroSAT RGB and the two sensors derived from it."""

import hashlib
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jepa_core.datasets.eurosat import CLASS_COUNTS, Expected
from jepa_core.datasets.eurosat_pan_ms import MS, PAN, averaged, luminance, open_eurosat_pan_ms
from jepa_core.datasets.eurosat_rgb import SENSOR, open_eurosat_rgb
from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.datasets.registry import OPENERS, open_set
from jepa_core.errors import UnknownNameError
from jepa_core.fingerprint import fingerprint
from tests.jepa_core.datasets.conftest import jpeg, picture, zip_of

COUNTS = {"Forest": 10, "River": 20}

# As the stored seed draws them: figures of other days hang on it.
VALIDATION = ["Forest_6", "River_18", "River_3"]
SPLITS = "43a4d040f4c7b696567afaedc3b95117d1be42e3ec7be6f28dc69c6933a13796"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "EuroSAT_RGB"
    for name, count in COUNTS.items():
        (root / name).mkdir(parents=True)
        for n in range(1, count + 1):
            (root / name / f"{name}_{n}.jpg").write_bytes(jpeg(picture(n)))
    return root


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def archive(request, folder, tmp_path):
    return zip_of(folder, tmp_path / "EuroSAT_RGB.zip", request.param)


def expected(path=None):
    return Expected(COUNTS, md5=hashlib.md5(path.read_bytes()).hexdigest() if path else "")


def test_a_zip_file_and_the_folder_it_is_of_are_the_same_set(archive, folder):
    packed, unpacked = open_eurosat_rgb(archive, expected(archive)), open_eurosat_rgb(folder, expected())
    assert packed.version == unpacked.version
    assert packed.ids.tolist() == unpacked.ids.tolist() == sorted(unpacked.ids)
    rows = np.array([3, 0, 17])
    assert np.array_equal(packed.read(SENSOR, rows), unpacked.read(SENSOR, rows))


def test_pixels_are_those_of_the_row_asked_for_in_order(folder):
    found = open_eurosat_rgb(folder, expected())
    rows = np.array([25, 4])
    pixels = found.read(SENSOR, rows)
    assert pixels.shape == (2, 3, 64, 64)
    assert pixels.dtype == np.uint8
    for image, row in zip(pixels, rows, strict=True):
        made = picture(int(found.ids[row].split("_")[1])).transpose(2, 0, 1)
        assert abs(image.astype(int) - made).mean() < 5
        assert found.label_names(row) == (found.ids[row].split("_")[0],)


def test_no_rows_are_an_empty_block(folder):
    assert open_eurosat_rgb(folder, expected()).read(SENSOR, np.array([], dtype=int)).shape == (0, 3, 64, 64)


def test_bands_are_read_by_name(folder):
    found = open_eurosat_rgb(folder, expected())
    both = found.read(SENSOR, np.array([1]))
    assert np.array_equal(found.read(SENSOR.with_bands(["blue"]), np.array([1])), both[:, 2:])
    with pytest.raises(DatasetError, match="has no sensor pan; it has optical_rgb"):
        found.read(PAN, np.array([1]))


def test_threads_read_what_one_thread_reads(archive):
    found = open_eurosat_rgb(archive, expected(archive))
    rows = [np.array([i % len(found)]) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda row: found.read(SENSOR, row), rows))
    for pixels, row in zip(read, rows, strict=True):
        assert np.array_equal(pixels, found.read(SENSOR, row))


def test_splits_are_of_each_class_and_stay_the_same(folder):
    found = open_eurosat_rgb(folder, expected())
    of = Counter((name.split("_")[0], split) for name, split in zip(found.ids, found.splits, strict=True))
    assert of == {
        ("Forest", "train"): 7,
        ("Forest", "val"): 1,
        ("Forest", "test"): 2,
        ("River", "train"): 14,
        ("River", "val"): 2,
        ("River", "test"): 4,
    }
    assert sorted(found.ids[found.rows("val")]) == VALIDATION


def test_a_zip_file_that_is_not_the_published_one_is_noted(archive):
    assert not [note for note in open_eurosat_rgb(archive, expected(archive)).notes if "MD5" in note]
    assert [note for note in open_eurosat_rgb(archive, expected()).notes if "not the published one" in note]


def test_another_picture_is_another_version(folder):
    before = open_eurosat_rgb(folder, expected()).version
    (folder / "River" / "River_3.jpg").write_bytes(jpeg(picture(99)))
    assert open_eurosat_rgb(folder, expected()).version != before


def test_missing_and_unknown_classes_are_said(folder):
    (folder / "River" / "River_3.jpg").unlink()
    with pytest.raises(DatasetError, match=r"class folder 'River' in .* has 19 images, the set has 20"):
        open_eurosat_rgb(folder, expected())
    for file in (folder / "River").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match=r"class folder 'River' in .* is empty or missing, the set has 20"):
        open_eurosat_rgb(folder, expected())
    (folder / "River").rename(folder / "Rivers")
    (folder / "Rivers" / "one.jpg").write_bytes(jpeg(picture(1)))
    with pytest.raises(
        DatasetError, match=r"'Rivers' of images, which is no class of the set; classes are Forest, River"
    ):
        open_eurosat_rgb(folder, expected())


def test_a_missing_root_and_a_file_that_is_no_archive_are_said(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not there"):
        open_eurosat_rgb(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds none of the set's images"):
        open_eurosat_rgb(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(DatasetError, match=r"a\.zip is neither a folder nor a whole zip file"):
        open_eurosat_rgb(tmp_path / "a.zip")


def test_a_broken_picture_is_named_when_it_is_read(folder):
    path = folder / "Forest" / "Forest_1.jpg"
    path.write_bytes(path.read_bytes()[:400])
    (folder / "Forest" / "Forest_10.jpg").write_bytes(jpeg(picture(1, side=32)))
    found = open_eurosat_rgb(folder, expected())
    with pytest.raises(DatasetError, match=r"Forest_1\.jpg is no readable picture"):
        found.read(SENSOR, np.array([0]))
    with pytest.raises(DatasetError, match=r"Forest_10\.jpg is of shape \(3, 32, 32\)"):
        found.read(SENSOR, np.array([1]))


def test_a_damaged_member_of_a_zip_file_is_named(archive):
    data = bytearray(archive.read_bytes())
    at = data.index(b"Forest_1.jpg") + 300
    data[at : at + 8] = bytes(8)
    archive.write_bytes(data)
    found = open_eurosat_rgb(archive, expected(archive))
    with pytest.raises(DatasetError, match=r"Forest_1\.jpg in .*EuroSAT_RGB\.zip (is damaged|cannot be read)"):
        found.read(SENSOR, np.array([0]))


def test_pan_is_the_luminance_and_ms_the_mean_of_the_same_picture(folder):
    found = open_eurosat_pan_ms(folder, expected())
    rgb = open_eurosat_rgb(folder, expected()).read(SENSOR, np.array([5]))[0].astype(float)
    pan, ms = (found.read(sensor, np.array([5]))[0] for sensor in (PAN, MS))
    assert found.sensors == (PAN, MS)
    weighted = np.tensordot([0.299, 0.587, 0.114], rgb, axes=1)
    assert np.abs(pan[0] - weighted).max() <= 0.5 + 1e-9
    assert pan.shape == (1, 64, 64)
    assert np.array_equal(ms, np.floor(rgb.reshape(3, 16, 4, 16, 4).mean(axis=(2, 4)) + 0.5))
    assert any("flattering" in note for note in found.notes)


def test_white_stays_white():
    white = np.full((3, 4, 4), 255, dtype=np.uint8)
    assert luminance(white).tolist() == [[[255] * 4] * 4]
    assert averaged(white).tolist() == [[[255]]] * 3


def test_the_real_set_has_its_numbers_and_its_seed_stays(shared_data):
    found = open_set("eurosat-rgb", shared_data / "EuroSAT_RGB.zip")
    assert Counter(found.splits.tolist()) == {"train": 18900, "val": 2700, "test": 5400}
    assert dict(zip(found.classes, found.labels.sum(axis=0).tolist(), strict=True)) == CLASS_COUNTS
    assert fingerprint(found.splits.tolist()) == SPLITS
    water = found.classes.index("SeaLake")
    red, green, blue = found.read(SENSOR, np.flatnonzero(found.labels[:, water])[:200]).mean(axis=(0, 2, 3))
    assert red < green < blue
    assert open_set("eurosat-pan-ms", shared_data / "EuroSAT_RGB.zip").splits.tolist() == found.splits.tolist()


def test_an_unknown_name_is_answered_with_those_that_are_known(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown set 'eurosat'; known are .*eurosat-rgb") as error:
        open_set("eurosat", tmp_path)
    assert all(name in str(error.value) for name in OPENERS)
