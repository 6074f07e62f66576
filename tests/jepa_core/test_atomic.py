import signal
import subprocess
import sys

import pytest

from jepa_core import atomic
from jepa_core.errors import JepaError


def left_overs(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".tmp-")]


def test_a_file_is_whole_or_the_old_one(tmp_path):
    path = tmp_path / "deep" / "file"
    with atomic.new_file(path) as temporary:
        temporary.write_text("first")
    with pytest.raises(RuntimeError), atomic.new_file(path) as temporary:
        temporary.write_text("half of the sec")
        raise RuntimeError
    assert path.read_text() == "first"
    assert left_overs(path.parent) == []


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with atomic.new_folder(path) as temporary:
            (temporary / content).write_text(content)
    assert [p.name for p in path.iterdir()] == ["second"]
    with pytest.raises(RuntimeError), atomic.new_folder(path) as temporary:
        (temporary / "third").write_text("half")
        raise RuntimeError
    assert [p.name for p in path.iterdir()] == ["second"]
    assert left_overs(tmp_path) == []


def test_a_killed_writer_leaves_nothing_that_is_read_and_the_next_sweeps_it(tmp_path):
    path = tmp_path / "folder"
    code = (
        "import sys, time; from pathlib import Path; from jepa_core import atomic\n"
        "with atomic.new_folder(Path(sys.argv[1])) as t:\n"
        "    (t / 'half').write_text('half'); print('ready', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not path.exists()
    assert len(left_overs(tmp_path)) == 1
    with atomic.new_folder(path) as temporary:
        (temporary / "whole").write_text("whole")
    assert [p.name for p in path.iterdir()] == ["whole"]
    assert left_overs(tmp_path) == []


def test_a_living_writer_of_the_same_place_is_left_alone(tmp_path):
    path = tmp_path / "file"
    code = (
        "import sys, time; from pathlib import Path; from jepa_core import atomic\n"
        "with atomic.new_file(Path(sys.argv[1])) as t:\n"
        "    t.write_text('slow'); print('ready', flush=True); sys.stdin.readline()\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    with atomic.new_file(path) as temporary:
        temporary.write_text("fast")
    assert path.read_text() == "fast"
    writer.communicate(b"\n", timeout=30)
    assert writer.returncode == 0
    assert path.read_text() == "slow"


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": ')
    with pytest.raises(JepaError, match=r"x\.json is not readable JSON"):
        atomic.read_json(path)


def test_json_goes_round(tmp_path):
    value = {"b": [1, 2.5, None], "a": {"ä": True}}
    atomic.write_json(tmp_path / "x.json", value)
    assert atomic.read_json(tmp_path / "x.json") == value
