"""Fixtures of the pipeline's tests."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from matplotlib.figure import Figure

from jepa_core.store import Store
from pipelines.resources import Workspace
from tests.pipelines.chain import CHAIN, CONFIG, materialize
from tests.pipelines.postgres_server import Server, programs, running
from tests.synthetic import write_pairs

NO_TIME = {"ops": {"crjepa_model": {"config": {"epochs": 1}}}}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    if programs() is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    # pytest's own folders are closed to all but their owner, and the server may run as another.
    folder = Path(tempfile.mkdtemp(prefix="jepa-postgres-"))
    try:
        with running(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, set."""
    address = server.new_database()
    monkeypatch.setenv("JEPA_POSTGRES", address)
    return address


@pytest.fixture(scope="session")
def indexed(tmp_path_factory):
    """Archive and data root with a model and its index, and the instance that made them."""
    root = tmp_path_factory.mktemp("indexed")
    (root / "archive").mkdir()
    write_pairs(root / "archive", 16)
    workspace = Workspace(archive=str(root / "archive"), data=str(root / "data"))
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(workspace, instance, CHAIN, NO_TIME).success
    return root


@pytest.fixture
def root(indexed, tmp_path, monkeypatch):
    """A copy of it, which the settings name."""
    copy = shutil.copytree(indexed, tmp_path / "copy")
    (copy / "data" / "root.json").write_text(json.dumps({"archive": str(copy / "archive")}))
    monkeypatch.setenv("JEPA_ARCHIVE", str(copy / "archive"))
    monkeypatch.setenv("JEPA_DATA", str(copy / "data"))
    return copy


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


@pytest.fixture(scope="module")
def base(synthetic_archive, tmp_path_factory):
    """Archive, data root and instance after one whole run."""
    root = tmp_path_factory.mktemp("chain")
    archive = shutil.copytree(synthetic_archive, root / "archive")
    workspace = Workspace(archive=str(archive), data=str(root / "data"))
    instance = dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance")))
    result = materialize(workspace, instance, CHAIN, CONFIG)
    return workspace, instance, result


@pytest.fixture
def _undrawn(base, monkeypatch):
    """Pictures are drawn in the whole run, which `base` is; they take longer than all else of a stage on few pairs."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **how: None)


@pytest.fixture
def workspace(base, tmp_path, _undrawn):
    """A copy of the finished archive and data root, to be changed."""
    source = Store.at(base[0].settings().data).root.parent
    copy = shutil.copytree(source, tmp_path / "copy")
    marker = copy / "data" / "root.json"
    marker.write_text(json.dumps({"archive": str(copy / "archive")}))
    return Workspace(archive=str(copy / "archive"), data=str(copy / "data"))
