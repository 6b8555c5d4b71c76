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
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import text_digest, write_text
from recsys.core.time import AsOf
from recsys.features.build import SnapshotFolder
from recsys.features.catalog import CATALOG
from recsys.models.catalog import CATALOG as RECIPES
from recsys.store.packed import PackedReader, PackedStore

if TYPE_CHECKING:
    from feast import FeatureStore

APPLIED = "applied"
VARIABLE = "RECSYS_HOME"


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
    environment = {**os.environ, VARIABLE: str(home.root)}
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


def materialize(home: Home, as_of: AsOf) -> int:
    """Put the rows of a snapshot online and take away those of an earlier one; returns how many rows are online.

    Rows that are online already and newer stay as they are. `MissingError` when the snapshot was not built.
    """
    SnapshotFolder.open(home.snapshots, as_of)
    with feature_store(home) as store:
        views = [view.name for view in store.list_feature_views() if view.online]
        with redirect_stdout(StringIO()):
            store.materialize(as_of.instant, as_of.instant, feature_views=views)
    for view in views:
        PackedStore(home.online).forget(view, before=as_of.instant)
    return sum(PackedReader(home.online).count(view) for view in views)


@contextmanager
def feature_store(home: Home) -> "Iterator[FeatureStore]":
    """Feast's store over a home, with the definitions of today."""
    apply(home)
    with _feast() as feast:
        with _environment(home):
            store = feast.FeatureStore(repo_path=str(_repository()))
        yield store


@contextmanager
def _environment(home: Home) -> Iterator[None]:
    """Name the home where Feast looks for it while it reads feature_store.yaml."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(home.root)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@contextmanager
def _feast() -> Iterator[Any]:
    """Feast itself, imported here because that takes some ten seconds; its own warnings are nobody's to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import feast

        warnings.simplefilter("ignore")  # once more: Feast's import puts filters of its own before ours
        yield feast


def _repository() -> Path:
    """Find the folder of feature_store.yaml, without importing the package."""
    found = find_spec("features")
    if found is None or not found.submodule_search_locations:
        raise MissingError("the Feast repository", "pip install recsys")
    return Path(next(iter(found.submodule_search_locations)))


def _definitions(home: Home) -> str:
    """Digest of all that the definitions are made of."""
    files = sorted((*_repository().glob("*.py"), _repository() / "feature_store.yaml"))
    return text_digest(
        version("feast"),
        str(home.root),
        repr(CATALOG),
        repr([recipe.task for recipe in RECIPES.values()]),
        *(part for path in files for part in (path.name, path.read_text(encoding="utf-8"))),
    )
