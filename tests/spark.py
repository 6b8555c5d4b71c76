"""A real Spark cluster for tests: one master and two workers as processes on loopback, with Debian's Java."""

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import install
from tests.serving_process import free_port

READY_WITHIN = 120.0
INSTALL_WITHIN = 400
PACKAGE = "openjdk-17-jre-headless"
WORKERS = 2
# A tiny shop spends its time in planning and warming up, so compilers are told to do little.
CONFIGURED = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "768m",
    "spark.executor.memory": "1g",
    "spark.executor.cores": "1",
    "spark.cores.max": "2",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.locality.wait": "0",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.maxPlanStringLength": "500",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
LOGGED = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
logger.deploy.name = org.apache.spark.deploy
logger.deploy.level = info
"""


@contextlib.contextmanager
def spark_cluster() -> Iterator[str]:
    """Run a cluster until the block ends; yields its URL. Skips, saying why, where there can be no Java.

    While it runs, sessions of this process and of those it starts are configured for it.
    """
    _require_java()
    from pyspark.find_spark_home import _find_spark_home

    program = Path(_find_spark_home()) / "bin" / "spark-class"
    folder = Path(tempfile.mkdtemp(prefix="recsys-spark-"))
    (folder / "conf").mkdir()
    defaults = "".join(f"{name} {value}\n" for name, value in CONFIGURED.items())
    (folder / "conf" / "spark-defaults.conf").write_text(defaults)
    (folder / "conf" / "log4j2.properties").write_text(LOGGED)
    url = f"spark://127.0.0.1:{(port := free_port())}"
    common = ("--host", "127.0.0.1", "--webui-port", "0")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_DAEMON_MEMORY", "256m")
        patch.setenv("SPARK_DAEMON_JAVA_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        patch.setenv("SPARK_CONF_DIR", str(folder / "conf"))
        patch.delenv("PYSPARK_PYTHON", raising=False)
        running.callback(shutil.rmtree, folder, ignore_errors=True)
        log = folder / "master.log"
        _start(running, log, program, "org.apache.spark.deploy.master.Master", *common, "--port", str(port))
        _wait_for(log, "I have been elected leader", 1)
        for number in range(WORKERS):
            own = ("--cores", "2", "--memory", "2g", "--work-dir", str(folder / f"worker-{number}"))
            name = "org.apache.spark.deploy.worker.Worker"
            _start(running, folder / f"worker-{number}.log", program, name, *common, *own, url)
        _wait_for(log, "Registering worker", WORKERS)
        yield url


def _start(running: contextlib.ExitStack, log: Path, *command: object) -> None:
    """Start a process whose output goes to a log, and end it with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    running.callback(stop)


def _wait_for(log: Path, said: str, times: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while len(re.findall(said, log.read_text(errors="replace"))) < times:
        if time.monotonic() > deadline:
            raise AssertionError(f"{said!r} was not said {times} times:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)


@functools.cache
def _require_java() -> None:
    if "JAVA_HOME" in os.environ or shutil.which("java") is not None:
        return
    refused = install(PACKAGE, within=INSTALL_WITHIN)
    if refused is not None or shutil.which("java") is None:
        reason = refused or "apt-get installed it, but java is not to be found"
        pytest.skip(f"SPARK IS NOT TESTED HERE: {reason}; run `apt-get install {PACKAGE}` and test again")
