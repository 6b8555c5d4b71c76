import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from recsys.core.errors import ConfigError, MissingError
from recsys.features.spark.dialect import define_functions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
"""What results depend on: stored times are UTC without a zone, and an overflow is an error; all else is the cluster's
own `spark-defaults.conf`."""
PAGE = {"spark.buffer.pageSize": "2m"}
"""A view lays dozens of sorted and grouped sources side by side in one stage, and each holds a page at least. Spark's
own pages are up to a sixteenth of an executor's memory, or 64 MB: too few for them all on a small executor."""


@contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """Open a session on a cluster, such as `spark://host:7077`, until the block ends; an open one is used and left.

    Other settings of Spark are read from `spark-defaults.conf` in SPARK_CONF_DIR, as ever. The Python of the workers is
    PYSPARK_PYTHON, by default this one's path, and needs recsys installed; the home must be one folder that driver and
    workers share.
    `MissingError` names the extra, or Java, where it is not installed; `ConfigError` the cluster that does not answer.
    """
    _require()
    from pyspark.sql import SparkSession

    opened = SparkSession.getActiveSession()
    builder = SparkSession.builder.master(master).appName("recsys")
    for name, value in {**SETTINGS, **PAGE}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:  # Java's own, whose kinds depend on what the cluster is
        raise ConfigError("master", f"no cluster answers at {master}") from error
    try:
        if "PYSPARK_PYTHON" not in os.environ:
            session.sparkContext.pythonExec = sys.executable
        define_functions(session)
        yield session
    finally:
        if opened is None:
            session.stop()


def _require() -> None:
    if find_spec("pyspark") is None:
        raise MissingError("pyspark", "pip install 'recsys[spark]'")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise MissingError("Java 17 or newer", "apt-get install openjdk-17-jre-headless")
