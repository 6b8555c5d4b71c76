from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from recsys.core.errors import ConfigError
from training.workspace import Workspace

ENGINES = ("duckdb", "spark")


@contextmanager
def computing(workspace: Workspace, engine: str, master: str) -> Iterator[Workspace]:
    """Yield the workspace as an engine computes for it: DuckDB in this process, or Spark on the cluster at `master`.

    `ConfigError` when there is no such engine or Spark is not told its cluster; `MissingError` names the extra, or
    Java, where Spark is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError("engine", f"{engine!r} is none of {', '.join(ENGINES)}")
    if (engine == "spark") != bool(master):
        rule = "is of Spark alone: --engine spark" if master else "names no cluster, such as spark://host:7077"
        raise ConfigError("master", rule)
    if not master:
        yield workspace
        return
    from recsys.features.spark.session import spark_session

    with spark_session(master) as spark:
        yield replace(workspace, spark=spark)
