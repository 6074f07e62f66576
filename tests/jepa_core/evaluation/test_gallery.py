import io

import numpy as np
import pytest
from matplotlib.image import imread

from jepa_core.datasets.labelled_set import LabelledSet
from jepa_core.evaluation.gallery import Found, best_and_worst, pick, query_sheet
from jepa_core.pictures import NOT_RELEVANT, PAIRED, RELEVANT, preview
from jepa_core.sensors import SENTINEL1, SENTINEL2, Band, Sensor


def eight_bit(name, *bands):
    return Sensor(name, name, tuple(Band(band, 10.0, "count", (0.0, 255.0)) for band in bands), None, "uint8")


RGB, MS, PAN = (
    eight_bit("optical_rgb", "red", "green", "blue"),
    eight_bit("ms", "blue", "green", "red", "nir"),
    eight_bit("pan", "PAN"),
)


def test_eight_bit_pictures_keep_their_colours_whatever_the_order_of_bands():
    pixels = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2) * 20
    assert np.array_equal(preview(pixels, RGB), np.moveaxis(pixels, 0, -1))
    four = np.stack([pixels[2], pixels[1], pixels[0], np.full((2, 2), 255, np.uint8)])
    assert np.array_equal(preview(four, MS), np.moveaxis(pixels, 0, -1))


def test_one_eight_bit_band_is_grey_on_a_scale_of_its_own_sheet():
    dark, bright = (np.full((1, 2, 2), value, np.uint8) for value in (20, 200))
    assert np.unique(preview(dark, PAN)).tolist() == [20]
    assert np.unique(preview(bright, PAN)).tolist() == [200]


def test_sentinels_have_the_colours_that_they_had():
    optical = np.zeros((12, 1, 1), np.uint16)
    optical[SENTINEL2.positions(["B04"])[0]] = 2800
    assert preview(optical, SENTINEL2).ravel().tolist() == [255, 0, 0]
    radar = np.array([-22.0, -8.0], np.float32).reshape(2, 1, 1)
    assert preview(radar, SENTINEL1).ravel().tolist() == [0, 255, 0]


def made_set(rows=12, sensors=(RGB, PAN)):
    labels = np.zeros((rows, 3), dtype=bool)
    labels[np.arange(rows), np.arange(rows) % 3] = True
    asked = []

    def read(sensor, which):
        asked.append((sensor.name, list(which)))
        return np.stack([np.full((len(sensor.bands), 8, 8), 10 * row, np.uint8) for row in which])

    data = LabelledSet(
        name="made",
        version="v",
        sensors=sensors,
        classes=("A long name, of what grows where nothing else does", "Water $x$", "Town"),
        multi_label=False,
        ids=np.array([f"a/very/long/folder/of/row_{i}" for i in range(rows)]),
        labels=labels,
        splits=np.full(rows, "test"),
        read=read,
        source="",
    )
    return data, asked


def found(data, query, gallery, first=0):
    rows = np.arange(first, len(data))
    hits = (rows[:, None] + np.arange(7)) % len(data)
    cosines = np.tile(np.linspace(1, 0.4, 7, dtype=np.float32), (len(rows), 1))
    return Found(query, gallery, rows, hits, cosines, np.linspace(0, 1, len(rows)))


def test_the_best_and_the_worst_are_picked_in_their_order():
    figures, labels = np.array([0.2, 0.9, 0.5, 1.0]), np.ones((4, 2), dtype=bool)
    assert pick(figures, labels, 2, best=True).tolist() == [3, 1]
    assert pick(figures, labels, 3, best=False).tolist() == [0, 2, 1]
    assert pick(figures, labels, 9, best=False).tolist() == [0, 2, 1, 3]


def test_among_equals_the_classes_take_turns_and_the_first_comes_first():
    labels = np.zeros((9, 3), dtype=bool)
    labels[:6, 0] = labels[6:8, 1] = labels[8, 2] = True
    figures = np.ones(9)
    assert pick(figures, labels, 4, best=True).tolist() == [0, 6, 8, 1]
    # A difference in the last digit makes no order.
    figures[5] += 1e-12
    assert pick(figures, labels, 4, best=True).tolist() == [0, 6, 8, 1]


def test_a_better_query_goes_before_a_class_that_was_not_shown():
    labels = np.array([[True, False], [True, False], [False, True]])
    assert pick(np.array([1.0, 1.0, 0.9]), labels, 2, best=True).tolist() == [0, 1]


@pytest.fixture
def sheets(monkeypatch):
    drawn = []

    def keep(title, rows):
        drawn.append((title, rows))
        return b"png"

    monkeypatch.setattr("jepa_core.evaluation.gallery.contact_sheet", keep)
    return drawn


def test_hits_are_framed_by_relevance_and_the_own_place_is_told_apart(sheets):
    data, asked = made_set()
    query_sheet(data, found(data, RGB, PAN), [4, 11])
    (title, (first, second)) = sheets[0]
    assert title.startswith("optical rgb queries, pan hits")
    assert "PAIR" in title
    # The query's own row, then the next ones: classes repeat every third row.
    assert [tile.frame for tile in first] == [None, PAIRED, NOT_RELEVANT, NOT_RELEVANT, RELEVANT, NOT_RELEVANT]
    assert [tile.caption.split()[0] for tile in first] == ["QUERY", "PAIR", "✗", "✗", "✓", "✗"]
    assert asked == [
        ("optical_rgb", [4]),
        ("pan", [4, 5, 6, 7, 8]),
        ("optical_rgb", [11]),
        ("pan", [11, 0, 1, 2, 3]),
    ]
    assert [int(tile.image[0, 0, 0]) for tile in second] == [110, 110, 0, 10, 20, 30]


def test_within_a_sensor_there_is_no_pair(sheets):
    data, _ = made_set()
    query_sheet(data, found(data, RGB, RGB), [0])
    assert [tile.frame for tile in sheets[0][1][0][:2]] == [None, RELEVANT]
    assert "PAIR" not in sheets[0][0]


def test_captions_have_the_end_of_the_id_the_labels_and_figures(sheets):
    data, _ = made_set()
    query_sheet(data, found(data, RGB, PAN), [3])
    own, hit = sheets[0][1][0][:2]
    assert own.caption == "QUERY …ong/folder/of/row_3\nF1@5 27 %\nA long name, of what grows where…"
    assert hit.caption.splitlines()[1] == "cosine 1.00"


def test_queries_that_start_later_in_the_set_show_their_own_rows(sheets):
    data, asked = made_set()
    query_sheet(data, found(data, RGB, PAN, first=5), [0])
    assert asked[0] == ("optical_rgb", [5])
    assert sheets[0][1][0][1].frame == PAIRED


def test_best_and_worst_are_pictures_by_caption():
    data, _ = made_set()
    pictures = best_and_worst(data, found(data, RGB, PAN), count=1)
    assert list(pictures) == ["Best queries, optical rgb → pan", "Worst queries, optical rgb → pan"]
    best, worst = (imread(io.BytesIO(picture)) for picture in pictures.values())
    assert best.shape[2] == 4
    # Frames of both colours are in the picture.
    for frame in (RELEVANT, NOT_RELEVANT, PAIRED):
        colour = np.array([int(frame.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        assert (np.abs(best[..., :3] - colour).max(axis=2) < 0.02).any()
    assert not np.array_equal(best, worst)
