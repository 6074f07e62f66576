import shutil

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.stages import StageRecord, size_of, write_record
from jepa_core.store import Store


@pytest.fixture
def recorded(cut_store, trained, described, tmp_path, monkeypatch):
    """A copy of the data root, named by JEPA_DATA, in which the trained model is the current one."""
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    folder = next((store.root / "models" / "crjepa").iterdir())
    relative = str(folder.relative_to(store.root))
    sizes = {relative: size_of(folder)}
    record = StageRecord("crjepa_model", "f", trained.fingerprint, {}, {}, sizes, {"folder": relative}, 1.0)
    write_record(store, record)
    monkeypatch.setenv("JEPA_DATA", str(store.root))


def jepa(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.usefixtures("recorded")
def test_export_writes_the_file_and_says_how_much_is_in_it(tmp_path):
    path = tmp_path / "s1.parquet"
    done = jepa("export", "--sensor", "s1", "--to", path)
    assert done.exit_code == 0, done.output
    assert "24 patches of 8 scenes" in done.output
    assert pq.read_metadata(path).num_rows == 24
    assert str(tmp_path / "s1.collection.json") in done.output


@pytest.mark.usefixtures("recorded")
def test_milvus_takes_both_sensors_and_a_second_time_nothing(tmp_path):
    first, second = (jepa("milvus", "--to", tmp_path / "patches.db") for _ in range(2))
    assert "48 patches there; scenes added: 16, replaced: 0, withdrawn: 0" in first.output
    assert "48 patches there; scenes added: 0, replaced: 0, withdrawn: 0" in second.output


@pytest.mark.usefixtures("recorded")
def test_what_is_wrong_is_said_without_a_traceback(tmp_path):
    for command, rest in (("export", ["--sensor", "s3", "--to", tmp_path / "a.parquet"]), ("milvus", ["--to", "a.x"])):
        done = jepa(command, *rest)
        assert done.exit_code == 1
        assert done.output.startswith(f"jepa {command}: ") or f"\njepa {command}: " in done.output
        assert "Traceback" not in done.output
    assert (
        "no whole mae model"
        in jepa("export", "--sensor", "s1", "--to", tmp_path / "a.parquet", "--variant", "mae").output
    )
