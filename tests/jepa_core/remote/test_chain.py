"""What a machine made, sent to a server, and used by another that has nothing but the address."""

import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jepa_core.cli import app
from jepa_core.patch_store import read_manifest
from jepa_core.remote import scopes
from jepa_core.remote.session import write
from jepa_core.sensors import SENTINEL2
from jepa_core.stages import lost_output, read_record, size_of
from jepa_core.store import Store
from jepa_core.tables import SCENES, write_table
from tests.jepa_core.remote.conftest import index

pytestmark = pytest.mark.slow

QUERY = "S1A_IW_GRDH_1SDV_20170614T165043_33UUP_4_0"
SEARCH = ["search", "--patch", QUERY, "--to", "s2", "-k", "5"]


def jepa(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_another_machine_finds_the_same_and_fetches_only_what_a_search_reads(sent, elsewhere, cut_store, monkeypatch):
    code = "from jepa_core.cli import app; app()"
    command = [sys.executable, "-c", code, *SEARCH]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    monkeypatch.setenv("JEPA_DATA", str(sent.root))
    assert found.stdout == jepa(*SEARCH)
    fetched = {path.relative_to(elsewhere.root).parts[0] for path in elsewhere.root.rglob("*") if path.is_file()}
    assert fetched == {".remote", "root.json", "stages", "indexes", "models", "patches"}
    assert {path.name for path in (elsewhere.root / "patches").rglob("*") if path.is_file()} == {"cutting.json"}


def test_pictures_fetch_the_pixels_of_the_scenes_that_they_show(sent, elsewhere, tmp_path):
    jepa(*SEARCH[:-1], "1", "--show", str(tmp_path / "hits.png"))
    assert (tmp_path / "hits.png").stat().st_size > 1000
    scenes = len(read_manifest(elsewhere, SENTINEL2))
    fetched = len(list(elsewhere.patches(SENTINEL2).glob("*/pixels.zarr")))
    assert 0 < fetched < scenes


def test_what_stayed_there_counts_as_whole(sent, elsewhere):
    jepa(*SEARCH, "--show", str(elsewhere.root.parent / "hits.png"))
    for folder, size in zip(*(read_manifest(elsewhere, SENTINEL2)[name] for name in ("folder", "bytes")), strict=True):
        assert size_of(elsewhere.patches(SENTINEL2) / folder) == size
    assert lost_output(elsewhere, read_record(elsewhere, "crjepa_model")) is None


def test_a_rerun_sends_nothing_and_a_change_only_itself(sent, elsewhere, trained, server, address):
    root = elsewhere.root
    before = len(server.objects_written())
    with write(address, root, scopes.of_stage("crjepa_index"), print):
        assert index(elsewhere, trained).scenes_added == 0
    # The pointer is written each time, with what it held before.
    assert server.objects_written()[before:] == []
    with write(address, root, scopes.of_stage("crjepa_index"), print):
        manifest = read_manifest(elsewhere, SENTINEL2)
        manifest.loc[1, "holds"] = "0" * 64
        write_table(manifest, SCENES, elsewhere.patches(SENTINEL2) / "manifest.parquet")
        assert index(elsewhere, trained).scenes_replaced == 1
    paths = [path.partition("/some/root/")[2] for path in server.objects_written()[before:]]
    places = {path.rsplit("/", 1)[0] if "segments" in path else path for path in paths}
    segments = {place for place in places if "/segments/" in place}
    rest = sorted(places - segments)
    assert len(segments) == 1
    assert [path.rpartition("/")[2] for path in rest] == ["index.json", "manifest.parquet"]
    assert paths[-1].endswith("index.json")


def test_compaction_and_pruning_on_another_machine_are_seen_by_the_first(
    sent, elsewhere, server, monkeypatch, tmp_path
):
    before = jepa(*SEARCH)
    old = next(path for path in (sent.root / "indexes" / "crjepa").glob("*/segments/*"))
    jepa("index", "compact")
    jepa("prune")
    monkeypatch.setenv("JEPA_CACHE", str(tmp_path / "cache"))
    assert jepa(*SEARCH) == before
    assert not old.exists()
    assert "searched exactly" in jepa("index", "status")


def test_exports_fetch_descriptors_and_tables_alone(sent, elsewhere, tmp_path):
    assert "24 patches of 8 scenes" in jepa("export", "--sensor", "s2", "--to", str(tmp_path / "s2.parquet"))
    assert not list(elsewhere.root.rglob("pixels.zarr"))
    assert not (elsewhere.root / "indexes").exists()


def test_a_local_data_root_imports_nothing_of_object_storage(cut_store, trained, described, tmp_path, monkeypatch):
    store = Store.at(shutil.copytree(cut_store.root, tmp_path / "data"))
    index(store, trained)
    code = (
        "import sys; from jepa_core.cli import app\n"
        "try: app()\n"
        "finally:\n"
        "    found = [m for m in sys.modules if m.split('.')[0] == 's3fs' or m.startswith('jepa_core.remote.')]\n"
        "    print(sorted(found), file=sys.stderr)"
    )
    monkeypatch.setenv("JEPA_DATA", str(store.root))
    run = subprocess.run([sys.executable, "-c", code, *SEARCH], capture_output=True, text=True, check=True, timeout=300)
    light = ["address", "layout", "scopes", "stand_in"]
    assert run.stderr.splitlines()[-1] == str([f"jepa_core.remote.{name}" for name in light])
    assert not (store.root / ".remote").exists()
