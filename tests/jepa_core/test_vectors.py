import numpy as np

from jepa_core.vectors import check_unit, unit


def test_rows_are_brought_to_unit_norm_and_a_row_of_zeros_to_equal_parts():
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [1e-200, 0.0]])
    got = unit(rows)
    np.testing.assert_allclose(got, [[0.6, 0.8], [0.5**0.5, 0.5**0.5], [1, 0]], rtol=1e-6)
    assert got.dtype == np.float32
    check_unit(got, "rows")


def test_rows_of_any_size_a_float_can_hold_have_unit_norm():
    check_unit(unit(np.array([[1e300, 1e300], [1e-320, 1e-320]])), "rows")
