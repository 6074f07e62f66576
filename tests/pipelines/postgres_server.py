"""A PostgreSQL server for tests: in a folder of its own, on a free port of this machine, stopped afterwards."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

from tests.conftest import REPO

PASSWORD = "öffne/dich@8:%7"
"""Holds what an address must write in another way."""


@dataclass(frozen=True)
class Server:
    """One that runs."""

    port: int
    """On 127.0.0.1."""

    def address(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """What JEPA_POSTGRES is set to."""
        url = URL.create("postgresql", "jepa", password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def new_database(self) -> str:
        """Address of an empty database."""
        name = f"t{uuid.uuid4().hex}"
        self.ask(f"create database {name}")
        return self.address(name)

    def ask(self, query: str, address: str | None = None) -> list[tuple]:
        """Rows that a query gives; none for what gives none."""
        url = make_url(address or self.address()).set(drivername="postgresql+psycopg2")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(query))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()


def new_root(folder: Path) -> Path:
    """A folder where the start-up hook acts."""
    (folder / "dagster_home").mkdir(parents=True)
    shutil.copy(REPO / "dagster_home" / "dagster.yaml", folder / "dagster_home")
    return folder


def programs() -> Path | None:
    """Folder of the newest server's programs; Debian keeps them off the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0)
    )
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def account() -> str | None:
    """Whom the server runs as where the tests run as root, which it refuses; None for the user itself."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A new server in an empty folder.

    Args:
        folder: must not lie below one that others may not enter.
    """
    where, user = programs(), account()
    assert where is not None
    if user is not None:
        shutil.chown(folder, user)
    secret = folder / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    data, log = folder / "data", folder / "log"

    def call(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")

    call(
        *(str(where / "initdb"), "-D", str(data), "-U", "jepa", "--pwfile", str(secret)),
        *("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"),
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    call(str(where / "pg_ctl"), "-D", str(data), "-l", str(log), "-w", "-o", options, "start")
    try:
        yield Server(port)
    finally:
        call(str(where / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
