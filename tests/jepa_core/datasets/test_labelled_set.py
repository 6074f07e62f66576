"""What a labelled set makes sure of."""

from dataclasses import replace

import numpy as np
import pytest

from jepa_core.datasets.labelled_set import DatasetError
from jepa_core.sensors import SENTINEL2
from tests.labelled import labelled_set


def test_rows_of_splits_come_ascending_and_only_labelled_where_that_is_asked():
    data = labelled_set(rows=40, unlabelled=0.5)
    assert sorted([*data.rows("train"), *data.rows("val"), *data.rows("test")]) == list(range(40))
    rows = data.labelled_rows("train", "val")
    assert 0 < len(rows) < len(data.rows("train", "val"))
    assert (np.diff(rows) > 0).all()
    assert all(data.label_names(int(row)) for row in rows)


def test_blocks_are_the_pixels_of_the_rows_in_their_order():
    data = labelled_set(rows=12, sensors=(SENTINEL2,), side=4)
    rows = np.array([7, 2, 5])
    blocks = list(data.blocks(SENTINEL2, rows, 2))
    assert [len(block) for block in blocks] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), data.read(SENTINEL2, rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"ids": np.array(["a"] * len(d))}, "1 ids are there twice, a first"),
        (lambda d: {"labels": d.labels[:-1]}, "do not fit together"),
        (lambda d: {"labels": d.labels.astype(int)}, "do not fit together"),
        (lambda d: {"splits": np.array(["exam"] * len(d))}, "splits are train, val, test, not exam"),
        (lambda d: {"labels": np.ones_like(d.labels)}, "has one class a row, but 12 rows have more"),
    ],
)
def test_parts_that_do_not_fit_are_a_plain_error(change, message):
    data = labelled_set(rows=12)
    with pytest.raises(DatasetError, match=message):
        replace(data, **change(data))
