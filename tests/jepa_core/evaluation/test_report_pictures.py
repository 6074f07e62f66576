from dataclasses import replace

import numpy as np

from jepa_core.evaluation.report_pictures import map_classes
from tests.labelled import labelled_set


def test_a_patch_with_several_classes_is_coloured_by_the_one_that_fewest_test_rows_have():
    data = labelled_set(rows=8)
    labels = np.zeros((8, 4), bool)
    labels[:, 0] = True
    labels[:3, 1] = True
    labels[[0, 1], 2] = True
    splits = np.array(["test"] * 4 + ["train"] * 4)
    # Class 3 is frequent among training rows, which do not count.
    labels[[0, 4, 5, 6, 7], 3] = True
    data = replace(data, labels=labels, splits=splits, multi_label=True)
    assert map_classes(data, np.arange(4)) == [data.classes[i] for i in (3, 2, 1, 0)]
