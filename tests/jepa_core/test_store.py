import subprocess
import sys

import pytest

from jepa_core.errors import JepaError
from jepa_core.store import MixedDataError, Store


def test_a_data_root_is_bound_to_one_archive(tmp_path):
    store = Store.at(tmp_path)
    store.bind("/mistyped")
    store.bind("sample")
    store.stage_records.mkdir()
    (store.stage_records / "patches.json").write_text("{}")
    store.bind("sample")
    with pytest.raises(MixedDataError, match="Set JEPA_DATA"):
        store.bind("/other")


def test_a_data_root_that_is_a_file_is_said_to_be_one(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    store = Store.at(tmp_path / "notes.txt")
    for look in (store.bind, store.check_bound):
        with pytest.raises(JepaError, match=r"notes\.txt is a file; set JEPA_DATA to a folder"):
            look("sample")


def test_two_data_roots_share_nothing(tmp_path):
    a, b = Store.at(tmp_path / "a"), Store.at(tmp_path / "b")
    a.bind("sample")
    b.bind("/other")
    for one, other in ((a.pairs, b.pairs), (a.mlflow, b.mlflow), (a.downloads, b.downloads)):
        assert one != other
        assert one.is_relative_to(a.root)


def test_a_lock_held_elsewhere_is_said_and_waited_for_and_ends_with_its_holder(tmp_path):
    code = (
        "import sys; from jepa_core.store import Store; from pathlib import Path\n"
        "with Store.at(Path(sys.argv[1])).locked('stage', print):\n"
        "    print('held', flush=True); sys.stdin.readline()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    told = []

    def waiting(message):
        told.append(message)
        holder.kill()
        holder.wait()

    with Store.at(tmp_path).locked("stage", waiting):
        assert len(told) == 1
    assert told[0].startswith(f"process {holder.pid} on ")
    assert "is working on stage" in told[0]
