"""What assets are given: the data root with its archive, and MLflow."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from jepa_core.archive.discover import Archive, archive_identity, open_archive
from jepa_core.errors import JepaError
from jepa_core.settings import Settings
from jepa_core.store import Store
from pipelines import postgres

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOG = logging.getLogger(__name__)

_FRESH_S = 60.0
"""Seconds for which what was fetched from object storage is taken to be as it is there."""

DAGSTER_UI = "http://localhost:3000"
"""Where `dagster dev` serves its pages."""

MLFLOW_UI = "http://localhost:5000"
"""Where the README's command serves MLflow's pages."""


class Workspace(dg.ConfigurableResource[None]):
    """The archive and the data root; empty fields are taken from JEPA_ARCHIVE and JEPA_DATA at run time."""

    archive: str = ""
    data: str = ""

    def settings(self) -> Settings:
        """The settings in force."""
        given: dict[str, Any] = {"archive": self.archive, "data": self.data}
        return Settings(**{name: value for name, value in given.items() if value})

    def store(self, stage: str = "") -> Store:
        """The data root.

        Args:
            stage: whose inputs and outputs are looked at; without it, records only. Where the root lies in object
                storage, that is fetched, unless it was within the last minute.

        Raises:
            MixedDataError: it holds products of another archive.
            RemoteError: it lies in object storage, which cannot be read.
        """
        settings = self.settings()
        if isinstance(settings.data, str):
            from jepa_core.remote import scopes
            from jepa_core.remote.session import read

            reads = scopes.of_stage(stage) if stage else []
            read(settings.data, settings.data_folder, reads, _LOG.info, _FRESH_S, stage)
        store = Store.at(settings.data_folder)
        store.bind(archive_identity(settings))
        return store

    @contextmanager
    def changing(self, stage: str, say: Callable[[str], None]) -> Iterator[None]:
        """Where the data root lies in object storage: fetches what a stage reads, and sends what it changes.

        Args:
            stage: its name.
            say: is told who writes to the root, if another process does; then it is waited for.

        Raises:
            RemoteError: it cannot be read or written.
        """
        settings = self.settings()
        if not isinstance(settings.data, str):
            yield
            return
        from jepa_core.remote import scopes
        from jepa_core.remote.session import write

        with write(settings.data, settings.data_folder, scopes.of_stage(stage), say):
            yield

    def open_archive(self) -> Archive:
        """The archive, fetched first where it is the sample."""
        return open_archive(self.settings(), self.store())


@dataclass
class TrackedRun:
    """One MLflow run under way; step metrics are sent in batches."""

    client: "MlflowClient"
    """Talks to the store."""

    run_id: str
    """MLflow's id of the run."""

    url: str
    """Page of the run."""

    _waiting: list[Any] = field(default_factory=list)

    def log_row(self, row: Mapping[str, float]) -> None:
        """Figures of one step; `step` is the step."""
        import time

        from mlflow.entities import Metric

        now, step = int(time.time() * 1000), int(row["step"])
        self._waiting += [Metric(k, v, now, step) for k, v in row.items() if k != "step"]
        if len(self._waiting) > 500:
            self.flush()

    def log_figures(self, figures: Mapping[str, float]) -> None:
        """Figures of the whole run."""
        self.log_row({"step": 0, **figures})

    def log_file(self, path: Path) -> None:
        """Keeps a copy of a file with the run."""
        self.client.log_artifact(self.run_id, str(path))

    def flush(self) -> None:
        """Sends what waits."""
        # MLflow takes at most 1,000 metrics at once.
        for start in range(0, len(self._waiting), 1000):
            self.client.log_batch(self.run_id, metrics=self._waiting[start : start + 1000])
        self._waiting.clear()


class Tracking(dg.ConfigurableResource[None]):
    """MLflow on SQLite under the data root or on PostgreSQL (JEPA_POSTGRES), artifacts in a folder of the data root."""

    @contextmanager
    def run(
        self,
        store: Store,
        context: dg.AssetExecutionContext,
        experiment: str,
        fingerprint: str,
        parameters: Mapping[str, Any],
    ) -> Iterator[TrackedRun]:
        """One MLflow run for one asset's work, linked with the Dagster run both ways.

        Args:
            store: the data root.
            context: of the asset.
            experiment: name of the MLflow experiment.
            fingerprint: of the work; an unfinished run of the same work, left by a kill, is marked as killed.
            parameters: logged as parameters.
        """
        client = _client(store)
        experiment_id = _experiment(client, store, experiment)
        unfinished = client.search_runs(
            [experiment_id],
            f"tags.`jepa.fingerprint` = '{fingerprint}' and attributes.status = 'RUNNING'",
        )
        for old in unfinished:
            client.set_terminated(old.info.run_id, "KILLED")
        asset = context.asset_key.to_user_string()
        tags = {
            "dagster.run_id": context.run.run_id,
            "dagster.asset": asset,
            "dagster.url": f"{DAGSTER_UI}/runs/{context.run.run_id}",
            "jepa.fingerprint": fingerprint,
        }
        run_id = client.create_run(experiment_id, tags=tags, run_name=asset).info.run_id
        for name, value in parameters.items():
            client.log_param(run_id, name, value)
        tracked = TrackedRun(client, run_id, f"{MLFLOW_UI}/#/experiments/{experiment_id}/runs/{run_id}")
        try:
            yield tracked
        except BaseException:
            tracked.flush()
            client.set_terminated(run_id, "FAILED")
            raise
        tracked.flush()
        client.set_terminated(run_id, "FINISHED")

    def register(self, tracked: TrackedRun, model: str, alias: str) -> int:
        """Adds the run's artifacts to the model registry and moves the alias to them.

        Returns:
            The version number.
        """
        from mlflow.exceptions import MlflowException

        client = tracked.client
        try:
            client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = client.get_run(tracked.run_id).info.artifact_uri
        version = client.create_model_version(model, source, tracked.run_id)
        client.set_registered_model_alias(model, alias, version.version)
        return int(version.version)


def tracking_uri(store: Store) -> str:
    """Address of MLflow's store. With JEPA_POSTGRES it holds a password: not to be logged or shown.

    Args:
        store: the data root.

    Raises:
        JepaError: JEPA_POSTGRES is set and its database cannot be used.
    """
    if not postgres.is_set():
        return f"sqlite:///{store.mlflow / 'mlflow.db'}"
    try:
        return postgres.schema_address("mlflow")
    except postgres.PostgresError as error:
        raise JepaError(error.message) from None


def _client(store: Store) -> "MlflowClient":
    # Before mlflow is imported: it reads this once.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    store.mlflow.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri(store))


def _experiment(client: "MlflowClient", store: Store, name: str) -> str:
    files = (store.mlflow / "artifacts" / name).as_uri()
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, files))
    # An SQLite file lies in its data root; a database may be given to several, which would mix their runs and files.
    if postgres.is_set() and found.artifact_location != files:
        raise JepaError(
            f"MLflow's experiment {name} in the database that {postgres.SETTING} names keeps its files in "
            f"{found.artifact_location}, not in {files}: a data root needs a database of its own"
        )
    return str(found.experiment_id)
