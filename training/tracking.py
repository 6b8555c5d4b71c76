import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

Alias = Literal["challenger", "champion"]


@dataclass(frozen=True)
class Registered:
    """A model version of the registry and what was measured of it.

    artifacts: URI of its run's artifacts; `Tracking.folder` brings them.
    """

    task: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    artifacts: str
    created_ms: int
    metrics: Mapping[str, float]
    params: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """An open run. artifacts: URI under which its files are kept."""

    run_id: str
    artifacts: str
    started_ms: int
    client: "MlflowClient"

    def measure(self, metrics: Mapping[str, float]) -> None:
        """Log numbers; those that are not finite are left out."""
        from mlflow.entities import Metric

        known = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.client.log_batch(self.run_id, [Metric(name, value, self.started_ms, 0) for name, value in known.items()])


class Tracking:
    """MLflow as recsys uses it: one experiment and one registered model for each task.

    MLFLOW_TRACKING_URI names a server; without it everything stands in a SQLite file and a folder under the home.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._opened: MlflowClient | None = None

    @property
    def uri(self) -> str:
        """Where MLflow keeps its runs."""
        return os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{self._home.mlflow / 'mlflow.db'}")

    @property
    def _client(self) -> "MlflowClient":
        if self._opened is None:
            import logging

            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException

            for name in ("mlflow.store.db.utils", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            self._home.mlflow.mkdir(parents=True, exist_ok=True)
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            try:
                client.search_experiments(max_results=1)
            except MlflowException as error:
                raise ConfigError("MLFLOW_TRACKING_URI", "no MLflow server answers there") from error
            self._opened = client
        return self._opened

    def log(
        self, task: str, folder: Path, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> Registered:
        """Log a folder of artifacts (the bundle stands in `bundle/`) as a run and register it as the challenger."""
        client = self._client
        with self.run(task, f"{task} {tags.get('as_of', '')}".strip(), params, tags) as run:
            run.measure(metrics)
            client.log_artifacts(run.run_id, str(folder))
        if not client.search_registered_models(f"name = '{task}'"):
            client.create_registered_model(task)
        version = client.create_model_version(task, source=f"{run.artifacts}/bundle", run_id=run.run_id)
        client.set_registered_model_alias(task, "challenger", version.version)
        return self.version(task, str(version.version))

    @contextmanager
    def run(
        self, task: str, name: str, params: Mapping[str, str], tags: Mapping[str, str], *, parent: str = ""
    ) -> "Iterator[Run]":
        """Keep a run of a task's experiment open for a block, below the run of the id `parent` if there is one.

        It ends as finished, as failed when the block raises, or as killed when it is interrupted.
        """
        from mlflow.entities import Param, RunTag
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        client = self._client
        made = client.create_run(self._experiment(task), run_name=name)
        run = Run(str(made.info.run_id), str(made.info.artifact_uri), int(made.info.start_time), client)
        told = {**tags, **({MLFLOW_PARENT_RUN_ID: parent} if parent else {})}
        try:
            client.log_batch(
                run.run_id,
                params=[Param(key, value[:6000]) for key, value in params.items()],
                tags=[RunTag(key, value) for key, value in told.items()],
            )
            yield run
        except BaseException as error:
            client.set_terminated(run.run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        client.set_terminated(run.run_id)

    def alias(self, task: str, alias: Alias) -> Registered | None:
        """Return the version that carries an alias, or None."""
        from mlflow.exceptions import MlflowException

        try:
            return self._registered(self._client.get_model_version_by_alias(task, alias))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def champion(self, task: str) -> Registered:
        """Return the champion; `MissingError` names the command that makes one."""
        found = self.alias(task, "champion")
        if found is None:
            raise MissingError(f"a champion for {task}", "recsys promote")
        return found

    def set_champion(self, task: str, version: str) -> None:
        """Move the champion alias to a version; that version is no challenger any more."""
        self._client.set_registered_model_alias(task, "champion", version)
        challenger = self.alias(task, "challenger")
        if challenger is not None and challenger.version == version:
            self._client.delete_registered_model_alias(task, "challenger")

    def version(self, task: str, version: str) -> Registered:
        """Return one version; `MissingError` when the registry has none of that number."""
        from mlflow.exceptions import MlflowException

        try:
            return self._registered(self._client.get_model_version(task, version))
        except MlflowException as error:
            raise MissingError(f"version {version} of {task}", "recsys train") from error

    def versions(self, task: str) -> tuple[Registered, ...]:
        """Return all versions of a task, newest first."""
        found = self._client.search_model_versions(f"name = '{task}'")
        return tuple(self._registered(item) for item in sorted(found, key=lambda item: -int(item.version)))

    def folder(self, registered: Registered) -> Path:
        """Bring a version's artifacts into a folder: where they stand, or a copy of what a server keeps."""
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(artifact_uri=registered.artifacts, tracking_uri=self.uri))

    def _experiment(self, task: str) -> str:
        found = self._client.get_experiment_by_name(task)
        if found is not None:
            return str(found.experiment_id)
        local = None if "MLFLOW_TRACKING_URI" in os.environ else (self._home.mlflow / "artifacts" / task).as_uri()
        return str(self._client.create_experiment(task, artifact_location=local))

    def _registered(self, found: "ModelVersion") -> Registered:
        run = self._client.get_run(str(found.run_id))
        # A registry entry read by search carries no aliases on SQLite, so they are read again by name.
        fresh = self._client.get_model_version(found.name, found.version)
        return Registered(
            task=str(found.name),
            version=str(found.version),
            run_id=str(found.run_id),
            aliases=tuple(sorted(str(alias) for alias in fresh.aliases)),
            artifacts=str(run.info.artifact_uri),
            created_ms=int(found.creation_timestamp or 0),
            metrics=run.data.metrics,
            params=run.data.params,
        )
