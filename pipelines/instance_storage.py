"""Where Dagster keeps runs, events and ticks: SQLite files, or PostgreSQL where JEPA_POSTGRES names a database."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._config import StringSource
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from pipelines import postgres


class InstanceStorage(DagsterStorage, ConfigurableClass):
    """Named in `dagster.yaml`; gives one of Dagster's own storages and is never made itself.

    What Dagster hands on to its processes and shows on its pages is this class's configuration, so the database's
    address is in none of it.
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Fields in `dagster.yaml`."""
        return {"folder": StringSource}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """The storage that the environment asks for.

        Args:
            inst_data: how this class is named in `dagster.yaml`.
            config_value: `folder` is where Dagster's SQLite files lie by default, which is DAGSTER_HOME.

        Raises:
            PostgresError: JEPA_POSTGRES is set and its database cannot be used.
        """
        if not postgres.is_set():
            return DagsterSqliteStorage.from_local(str(Path(config_value["folder"]).expanduser()), inst_data)
        address = postgres.schema_address("dagster")
        from dagster_postgres import DagsterPostgresStorage

        return DagsterPostgresStorage(address, inst_data=inst_data)
