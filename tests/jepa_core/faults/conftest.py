import pytest

from tests.jepa_core.faults.scenes import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
