import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.core.config import Home
from recsys.core.errors import ArtifactError, ConfigError, MissingError
from recsys.core.folders import text_digest, write_text
from recsys.core.task import View
from recsys.core.time import AsOf
from recsys.features.build import SnapshotFolder
from recsys.features.catalog import CATALOG
from recsys.models.catalog import CATALOG as RECIPES
from recsys.store.online import row_reader, row_store

if TYPE_CHECKING:
    from feast import FeatureStore

APPLIED = "applied"
VARIABLE = "RECSYS_HOME"
DEFINITION = "FEAST_FS_YAML_FILE_PATH"
"""Feast's own variable: another feature_store.yaml than those of the repository."""
READ_SECONDS = 10.0


def apply(home: Home) -> bool:
    """Tell Feast the entities, views and services as they are written today; returns false when it knew them already.

    It is Feast's own command, run as another process, while Feast is being imported in this one.
    """
    digest = _definitions(home)
    mark = home.feast / APPLIED
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return False
    home.feast.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(_repository()), "apply"]
    environment = {**os.environ, **_variables(home)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        with _feast():
            pass
        said, _ = process.communicate()
    if process.returncode:
        raise ArtifactError(home.feast, f"feast apply failed: {said.strip()[-2000:]}")
    write_text(mark, digest)
    return True


def is_online(home: Home, made_of: str) -> bool:
    """Whether the online rows are those that were materialised with this `made_of`."""
    reader = row_reader(home.online_place, seconds=READ_SECONDS)
    return reader.made_of(View.MEMBER) == made_of


def materialize(home: Home, as_of: AsOf, made_of: str = "") -> int:
    """Put the rows of a snapshot online and take away those of an earlier one; returns how many rows are online.

    made_of: kept beside the rows, for `is_online`.
    Rows that are online already and newer stay as they are. `MissingError` when the snapshot was not built,
    `ConfigError` when Feast is told of another place than the service reads.
    """
    SnapshotFolder.open(home.snapshots, as_of)
    place = home.online_place
    with feature_store(home) as store:
        told = store.config.online_store
        if str(getattr(told, "url", None) or told.path) != str(place):
            raise ConfigError(DEFINITION, f"names a file whose online store is not {home.online_name}")
        views = [view.name for view in store.list_feature_views() if view.online]
        with redirect_stdout(StringIO()):
            store.materialize(as_of.instant, as_of.instant, feature_views=views)
    store_of_rows = row_store(place)
    for view in views:
        store_of_rows.forget(view, before=as_of.instant)
        store_of_rows.note(view, made_of)
    return sum(row_reader(place, seconds=READ_SECONDS).count(view) for view in views)


@contextmanager
def feature_store(home: Home) -> "Iterator[FeatureStore]":
    """Feast's store over a home, with the definitions of today."""
    apply(home)
    with _feast() as feast:
        with _environment(home):
            store = feast.FeatureStore(repo_path=str(_repository()))
        try:
            yield store
        finally:
            _disconnect(store)


def _variables(home: Home) -> dict[str, str]:
    """Name the home, and the feature_store.yaml for where its online rows are, unless the environment names one."""
    name = "feature_store.yaml" if isinstance(home.online_place, Path) else "feature_store_redis.yaml"
    return {VARIABLE: str(home.root), DEFINITION: os.environ.get(DEFINITION) or str(_repository() / name)}


@contextmanager
def _environment(home: Home) -> Iterator[None]:
    """Set them where Feast looks for them while it reads its definition."""
    variables = _variables(home)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _feast() -> Iterator[Any]:
    """Feast itself, imported here because that takes some ten seconds; its own warnings are nobody's to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import feast

        warnings.simplefilter("ignore")  # once more: Feast's import puts filters of its own before ours
        yield feast


def _disconnect(store: "FeatureStore") -> None:
    """Close what Feast leaves open: the connections of a registry in a database, and the session on a cluster."""
    for name in ("write_engine", "read_engine"):
        engine = getattr(store.registry, name, None)
        if engine is not None:
            engine.dispose()
    if store.config.offline_store.type == "spark":
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        if session is not None:
            session.stop()


def _repository() -> Path:
    """Find the folder of feature_store.yaml, without importing the package."""
    found = find_spec("features")
    if found is None or not found.submodule_search_locations:
        raise MissingError("the Feast repository", "pip install recsys")
    return Path(next(iter(found.submodule_search_locations)))


def _definitions(home: Home) -> str:
    """Digest of all that the definitions are made of."""
    files = [*sorted(_repository().glob("*.py")), Path(_variables(home)[DEFINITION])]
    return text_digest(
        version("feast"),
        str(home.root),
        repr(CATALOG),
        repr([recipe.task for recipe in RECIPES.values()]),
        *(part for path in files for part in (path.name, path.read_text(encoding="utf-8"))),
    )
