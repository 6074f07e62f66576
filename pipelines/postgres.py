"""The PostgreSQL database that Dagster and MLflow share where JEPA_POSTGRES names one, each in a schema of its own.

A schema each, for both keep a table `alembic_version`. `jepa_core` knows nothing of it and is not imported: Dagster
opens its storage before it puts the working folder on the path, and would settle where the library comes from.
"""

import contextlib
import os
import re
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

SETTING = "JEPA_POSTGRES"
"""Names the database. The environment only: it holds a password."""

_FORM = "postgresql://user:password@host:5432/database"
_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts to connect, so that a server that starts anew fails no run."""


class PostgresError(click.ClickException):
    """The database cannot be used; Dagster's commands end with the message on one line. It never holds the password."""


def is_set() -> bool:
    """Whether Dagster and MLflow are to be kept in PostgreSQL."""
    return bool(os.environ.get(SETTING))


def schema_address(schema: str) -> str:
    """Address of one schema of the database, made where it is missing. It holds the password: not to be shown.

    Args:
        schema: its name, a plain word.

    Returns:
        What SQLAlchemy opens; tables without a schema's name are the schema's.

    Raises:
        PostgresError: the driver is missing, the address is none, or the server cannot be reached or refuses.
    """
    if find_spec("psycopg2") is None or find_spec("dagster_postgres") is None:
        raise PostgresError(f"{SETTING} is set, but its driver is not installed: pip install 'jepa-search[postgres]'")
    url = _with_schema(_parsed(os.environ[SETTING]), schema)
    _make_schema(url, schema)
    return url.render_as_string(hide_password=False)


def _parsed(text: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without the cause, whose message may quote the address.
        raise PostgresError(f"{SETTING} is no address of the form {_FORM}") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise PostgresError(f"{SETTING} begins with {url.drivername}://; it must have the form {_FORM}")
    # The driver is named because SQLAlchemy's own choice is another one since 2.1.
    return url.set(drivername="postgresql+psycopg2")


def _with_schema(url: "URL", schema: str) -> "URL":
    options = url.query.get("options", "")
    given = options if isinstance(options, str) else " ".join(options)
    url = url.update_query_dict({"options": f"{given} -csearch_path={schema}".strip()})
    # Unbounded otherwise where a firewall swallows what is sent.
    return url if "connect_timeout" in url.query else url.update_query_dict({"connect_timeout": "10"})


def _make_schema(url: "URL", schema: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError, OperationalError
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    for pause in (*_PAUSES, None):
        try:
            with engine.connect() as connection:
                _ensure(connection, schema)
            return
        except OperationalError as error:
            if pause is None:
                raise _refused(url, error) from None
            time.sleep(pause)
        except DBAPIError as error:
            raise _refused(url, error) from None


def _ensure(connection: "Connection", schema: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    # Asked first: even `if not exists` wants the right to create.
    if connection.scalar(text("select to_regnamespace(:schema)"), {"schema": schema}) is None:
        # The error is of two processes that make it at the same moment.
        with contextlib.suppress(IntegrityError):
            connection.execute(text(f"create schema if not exists {schema}"))
    found = connection.scalar(text("select current_schema()"))
    if found != schema:
        raise PostgresError(
            f"{SETTING}: the connection does not keep to the schema {schema}, but to {found}. A pooler in between may "
            "drop the option search_path, or the user may not use the schema."
        )


def _refused(url: "URL", error: Exception) -> PostgresError:
    # The query may hold a password too.
    shown = url.set(drivername="postgresql", query={}).render_as_string()
    reason = " ".join(str(getattr(error, "orig", error)).split())
    for secret in (url.password, url.query.get("password")):
        if secret:
            # As a word of its own: a short one is part of others.
            reason = re.sub(rf"(?<!\w){re.escape(str(secret))}(?!\w)", "***", reason)
    return PostgresError(f"{SETTING}: {shown} cannot be used: {reason}")
