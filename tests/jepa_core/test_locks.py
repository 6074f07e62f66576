import subprocess
import sys

from jepa_core.locks import held, holder_of

HOLD = (
    "import sys; from jepa_core.locks import held; from pathlib import Path\n"
    "with held(Path(sys.argv[1]), print):\n"
    "    print('held', flush=True); sys.stdin.readline()\n"
)


def test_a_lock_names_its_holder_and_a_killed_one_is_nobody(tmp_path):
    path = tmp_path / "some.lock"
    assert holder_of(path) is None
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert holder_of(path).startswith(f"process {holder.pid} on ")
    assert " UTC)" in holder_of(path)
    holder.kill()
    holder.wait()
    assert holder_of(path) is None
    with held(path, print):
        assert holder_of(path) is not None
    assert holder_of(path) is None


def test_asking_who_holds_a_lock_makes_none(tmp_path):
    assert holder_of(tmp_path / "no" / "such.lock") is None
    assert list(tmp_path.iterdir()) == []
