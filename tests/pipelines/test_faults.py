"""What may pass is tried again, what will not is said at once."""

import errno

import dagster as dg
import pytest

from jepa_core.errors import JepaError
from jepa_core.index.errors import IndexBusyError
from jepa_core.trouble import MachineError
from pipelines import faults


def materialized(monkeypatch, errors):
    """How an asset ends that meets these errors, one a try, and how often it was tried."""
    monkeypatch.setattr(faults, "FIRST_WAIT_S", 0.01)
    tries = []

    @dg.asset
    def asset(context: dg.AssetExecutionContext):
        with faults.plain_errors(context):
            tries.append(context.op_execution_context.retry_number)
            if len(tries) <= len(errors):
                raise errors[len(tries) - 1]

    result = dg.materialize([asset], raise_on_error=False)
    failures = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    said = [f.user_failure_data.description if f.user_failure_data else str(f.error) for f in failures]
    return result.success, tries, said


FULL = OSError(errno.ENOSPC, "No space left on device", "/data/patches")


@pytest.mark.parametrize("error", [FULL, MemoryError(), IndexBusyError("process 1 writes"), MachineError("no room")])
def test_what_may_pass_is_tried_again_until_it_has_passed(monkeypatch, error):
    assert materialized(monkeypatch, [error, error]) == (True, [0, 1, 2], [])


def test_and_three_times_at_most_and_then_it_is_said_in_its_words(monkeypatch):
    success, tries, said = materialized(monkeypatch, [FULL] * 9)
    assert not success
    assert tries == [0, 1, 2, 3]
    assert said == ["[Errno 28] No space left on device: '/data/patches'"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (JepaError("this band is missing"), "this band is missing"),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), "[Errno 13] Permission denied: '/data'"),
        (MachineError("cannot write to /data", may_pass=False), "cannot write to /data"),
    ],
)
def test_what_will_not_pass_is_said_at_once(monkeypatch, error, words):
    assert materialized(monkeypatch, [error]) == (False, [0], [words])


def test_a_mistake_in_the_code_stays_one(monkeypatch):
    success, tries, said = materialized(monkeypatch, [ZeroDivisionError("division by zero")])
    assert (success, tries) == (False, [0])
    assert "ZeroDivisionError" in said[0]
