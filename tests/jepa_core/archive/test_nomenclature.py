import ast
import zipfile

import pytest

from jepa_core.archive.nomenclature import BEN19, to_ben19
from jepa_core.archive.sample import COMMON


def table_in_wheel(wheels):
    """The mapping as bigearthnet-common has it, read without running it."""
    with zipfile.ZipFile(wheels / COMMON.file_name) as wheel:
        tree = ast.parse(wheel.read("bigearthnet_common/constants.py"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "OLD2NEW_LABELS_DICT":
            return ast.literal_eval(node.value)
    raise AssertionError("the wheel has no such table")


def test_all_43_classes_map_as_the_set_s_own_package_maps_them(wheels):
    table = table_in_wheel(wheels)
    assert len(table) == 43
    for old, new in table.items():
        assert to_ben19([old]) == (() if new is None else (new,))
    assert {new for new in table.values() if new is not None} == set(BEN19)


def test_names_of_both_nomenclatures_mix_and_repeat():
    assert to_ben19(["Water bodies", "Inland waters", "Airports", "Pastures"]) == (
        "Inland waters",
        "Pastures",
    )


def test_an_unknown_class_is_named():
    with pytest.raises(ValueError, match="'Ocean floor'"):
        to_ben19(["Pastures", "Ocean floor"])
