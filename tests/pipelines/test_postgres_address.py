"""What JEPA_POSTGRES may hold, and what is said where it cannot be used."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import make_url

from jepa_core.errors import JepaError
from jepa_core.store import Store
from pipelines import postgres
from pipelines.resources import tracking_uri
from tests.pipelines.postgres_server import new_root
from tests.pipelines.test_command import dagster


def test_many_processes_may_make_a_schema_at_once(empty):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(postgres.schema_address, ["dagster"] * 8))) == 1


def test_options_that_the_address_holds_are_kept(empty, monkeypatch):
    monkeypatch.setenv("JEPA_POSTGRES", empty + "?options=-cstatement_timeout%3D5000&connect_timeout=3")
    query = make_url(postgres.schema_address("dagster")).query
    assert query == {"options": "-cstatement_timeout=5000 -csearch_path=dagster", "connect_timeout": "3"}


@pytest.mark.slow
def test_a_server_that_is_down_is_one_line_that_does_not_hold_the_password(tmp_path):
    root = new_root(tmp_path / "root")
    done = dagster(root, "asset", "materialize", "--select", "x", JEPA_POSTGRES="postgresql://me:secret@127.0.0.1:9/db")
    assert done.returncode != 0
    (line,) = done.stdout.strip().splitlines()
    assert line.startswith("Error: JEPA_POSTGRES: postgresql://me:***@127.0.0.1:9/db cannot be used:")
    assert "Connection refused" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("secret", "JEPA_POSTGRES is no address of the form postgresql://user:password@host:5432/database"),
        ("postgresql://me:secret@host:port/db", "JEPA_POSTGRES is no address of the form"),
        ("mysql://me:secret@host/db", "JEPA_POSTGRES begins with mysql://"),
    ],
)
def test_what_is_no_address_is_said_without_showing_it(address, message, monkeypatch, tmp_path):
    monkeypatch.setenv("JEPA_POSTGRES", address)
    with pytest.raises(JepaError, match=message) as caught:
        tracking_uri(Store.at(tmp_path))
    assert "secret" not in str(caught.value)


def test_a_wrong_password_is_said_without_it(server, monkeypatch):
    monkeypatch.setattr(postgres, "_PAUSES", ())
    monkeypatch.setenv("JEPA_POSTGRES", server.address(password="jepa-wrong"))
    with pytest.raises(postgres.PostgresError, match="password authentication failed") as caught:
        postgres.schema_address("dagster")
    assert "jepa-wrong" not in caught.value.message


def test_a_user_without_the_rights_is_told(server, empty, monkeypatch):
    server.ask("create role guest login password 'guest'")
    monkeypatch.setenv("JEPA_POSTGRES", empty.replace(empty.split("//")[1].split("@")[0], "guest:guest"))
    with pytest.raises(postgres.PostgresError, match="permission denied for database"):
        postgres.schema_address("dagster")
    server.ask("create schema dagster", empty)
    with pytest.raises(postgres.PostgresError, match="does not keep to the schema dagster"):
        postgres.schema_address("dagster")


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("JEPA_POSTGRES", "postgresql://host/db")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(postgres.PostgresError, match=r"pip install 'jepa-search\[postgres\]'"):
        postgres.schema_address("dagster")
