import pytest

# Before anything imports it: its asserts say as much as those of the tests.
pytest.register_assert_rewrite("tests.jepa_core.faults.scenes")
