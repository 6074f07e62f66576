import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jepa_core.remote.bucket import Bucket
from jepa_core.remote.errors import LeaseLostError
from jepa_core.remote.layout import LEASES
from jepa_core.remote.lease import leased
from jepa_core.remote.session import read, write
from tests.jepa_core.remote.conftest import run_python

pytestmark = pytest.mark.slow

HOLD = """
import sys
from jepa_core.remote import lease
from jepa_core.remote.bucket import Bucket
machine = lease._machine
if len(sys.argv) > 4:
    lease._machine = lambda: sys.argv[4]
with lease.leased(Bucket(sys.argv[1]), print, float(sys.argv[2]), float(sys.argv[3])) as held:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        held.check()
        print("still mine", flush=True)
    except lease.LeaseLostError as error:
        print(error, flush=True)
"""


def holder(address, lapse_s=180.0, renew_s=30.0, machine=()):
    process = run_python(HOLD, address, str(lapse_s), str(renew_s), *machine)
    assert process.stdout.readline() == "held\n", process.communicate()
    return process


def test_a_second_writer_is_told_who_writes_and_waits_for_it(address):
    first = holder(address)
    told = []

    def waiting(message):
        told.append(message)
        first.stdin.write("\n")
        first.stdin.flush()

    with leased(Bucket(address), waiting, lapse_s=180):
        assert first.wait(timeout=60) == 0
    assert told[0].startswith(f"process {first.pid} on ")
    assert f"is writing to {address}; waiting" in told[0]


def test_a_lease_of_a_process_of_this_machine_ends_with_it(address):
    first = holder(address)
    first.kill()
    first.wait()
    started = time.monotonic()
    with leased(Bucket(address), pytest.fail):
        assert time.monotonic() - started < 10


def test_a_lease_of_another_machine_is_taken_over_when_it_falls_silent_and_not_before(address):
    first = holder(address, 4, 1, machine=["another machine"])
    told, started = [], time.monotonic()
    with ThreadPoolExecutor() as pool:

        def take():
            with leased(Bucket(address), told.append, lapse_s=4, renew_s=1):
                return time.monotonic()

        taking = pool.submit(take)
        time.sleep(7)
        # It lives, and renews.
        assert not taking.done()
        first.kill()
        killed = time.monotonic()
        taken = taking.result(timeout=60)
    assert len(told) == 1
    assert taken - killed > 1.5
    assert taken - started > 7


def test_a_holder_that_was_followed_does_not_write_on(address):
    first = holder(address, 4, 1, machine=["another machine"])
    os.kill(first.pid, signal.SIGSTOP)
    with leased(Bucket(address), lambda _: None, lapse_s=4, renew_s=1) as mine:
        os.kill(first.pid, signal.SIGCONT)
        out, _ = first.communicate("\n", timeout=60)
        assert "another process took over" in out
        mine.check()


def test_of_many_who_ask_at_once_one_holds_it_at_a_time(address):
    inside, most = [], []

    def work(number):
        with leased(Bucket(address), lambda _: None, lapse_s=2):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.2)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1, 1, 1, 1]
    assert len(Bucket(address).list_folder(LEASES)) == 1


def test_nothing_is_sent_once_the_lease_is_lost(address, tmp_path):
    root = tmp_path / "copy"
    with pytest.raises(LeaseLostError), write(address, root, [], pytest.fail):
        (root / "stages").mkdir(parents=True)
        (root / "stages" / "record.json").write_text("{}")
        assert Bucket(address).create(f"{LEASES}/00000002.json", b"{}")
    assert Bucket(address).read("stages/record.json") is None


WRITE = """
import sys
from pathlib import Path
from jepa_core.remote.session import write
root = Path(sys.argv[2])
with write(sys.argv[1], root, [], print):
    (root / "stages").mkdir(exist_ok=True)
    (root / "stages" / "record.json").write_text("not sent yet")
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_reader_beside_a_writer_of_the_same_machine_waits_for_nobody_and_takes_nothing_back(address, tmp_path):
    bucket, root, told = Bucket(address), tmp_path / "copy", []
    bucket.write("stages/record.json", b"old")
    writer = run_python(WRITE, address, str(root))
    assert writer.stdout.readline() == "held\n", writer.communicate()
    bucket.write("stages/other.json", b"of before")
    read(address, root, [], told.append)
    assert told[0].startswith(f"process {writer.pid} on ")
    assert (root / "stages" / "record.json").read_text() == "not sent yet"
    assert (root / "stages" / "other.json").read_text() == "of before"
    assert bucket.read("stages/record.json") == b"old"
    writer.communicate("\n", timeout=60)
    assert writer.returncode == 0
    assert bucket.read("stages/record.json") == b"not sent yet"


def test_work_that_failed_is_not_sent_and_goes_with_the_next_that_succeeds(address, tmp_path):
    root, sent = tmp_path / "copy", []
    with pytest.raises(RuntimeError), write(address, root, [], pytest.fail, sent.append):
        (root / "stages").mkdir()
        (root / "stages" / "record.json").write_text("{}")
        raise RuntimeError
    assert Bucket(address).read("stages/record.json") is None
    with write(address, root, [], pytest.fail, sent.append):
        pass
    assert [done.sent for done in sent] == [("stages/record.json",)]
