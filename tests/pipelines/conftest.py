"""Fixtures of the pipeline's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.postgres_server import Server, programs, running


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
