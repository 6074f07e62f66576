"""A server that speaks S3, in a process of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from jepa_core.index.sync import sync_index
from jepa_core.remote import scopes
from jepa_core.remote.copy import Copy
from jepa_core.remote.pull import pull
from jepa_core.remote.push import push
from jepa_core.remote.session import write
from jepa_core.sensors import SENSORS, SENTINEL2
from jepa_core.settings import Settings
from jepa_core.stages import StageRecord, size_of, write_record
from jepa_core.store import Store
from tests.jepa_core.remote.roots import ALL, FILES, LOCAL
from tests.jepa_core.remote.roots import write as write_files

_KEY = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Server:
    """A moto server under way."""

    url: str
    log: Path

    def objects_written(self) -> list[str]:
        """Paths of all objects that were put so far, leases aside."""
        lines = self.log.read_text().splitlines()
        puts = [line.split("PUT ")[1].split()[0] for line in lines if "PUT /" in line]
        return [path for path in puts if path.count("/") > 1 and "/.lease/" not in path]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    pytest.importorskip("moto", reason="moto, a server that speaks S3, is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    code = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", code, str(port)], stdout=file, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield Server(url, log)
    process.kill()
    process.wait()


@pytest.fixture
def address(server, monkeypatch, tmp_path):
    """Of a data root in a bucket of its own; the environment names server, key and folder of copies."""
    import s3fs

    for name, value in {**_KEY, "AWS_ENDPOINT_URL": server.url, "JEPA_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/some/root"


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Starts Python with what the test's environment says."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def index(store, trained):
    model = next((store.root / "models" / "crjepa").iterdir())
    return sync_index(store, "crjepa", trained.fingerprint, model, tuple(SENSORS))


@pytest.fixture
def sent(address, cut_store, trained, described, monkeypatch):
    """The first machine's copy of an address; a data root with an index was made in it, and sent."""
    monkeypatch.setenv("JEPA_DATA", address)
    settings = Settings()
    store = Store.at(settings.data_folder)
    shutil.copytree(cut_store.root, store.root)
    store.bind("sample")
    with write(address, settings.data_folder, scopes.of_stage("crjepa_index"), print):
        index(store, trained)
        model = next((store.root / "models" / "crjepa").iterdir())
        path = str(model.relative_to(store.root))
        outputs = {path: size_of(model), "patches/sentinel2": size_of(store.patches(SENTINEL2))}
        record = StageRecord("crjepa_model", "f", trained.fingerprint, {}, {}, outputs, {"folder": path}, 1.0)
        write_record(store, record)
    return store


@pytest.fixture
def elsewhere(sent, monkeypatch, tmp_path):
    """The settings are those of a machine that has nothing yet; gives where its copy is going to lie."""
    monkeypatch.setenv("JEPA_CACHE", str(tmp_path / "another machine"))
    return Store.at(Settings().data_folder)


@pytest.fixture
def machines(tmp_path):
    """Two machines' copies of one root, which one of them has filled."""
    address = f"memory://{uuid.uuid4().hex}/root"
    one, two = (Copy.of(address, tmp_path / name) for name in ("one", "two"))
    write_files(one.root, FILES | LOCAL)
    pull(one, ALL)
    push(one, ALL)
    return one, two
