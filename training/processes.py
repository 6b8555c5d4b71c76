"""Starting, finding and stopping what runs beside the command: the service and MLflow's pages."""

import contextlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError

SERVICE = "serving.service:service"
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
READY_WITHIN = 90.0
STOPPED_WITHIN = 10.0


def tool(name: str) -> str:
    """Path of a command that stands beside the running Python."""
    return str(Path(sys.executable).parent / name)


def service_command(port: int, host: str = "127.0.0.1") -> list[str]:
    """Command line that serves the current publication."""
    return [tool("bentoml"), "serve", SERVICE, "--host", host, "--port", str(port), "--timeout", "10"]


def console_command(port: int, host: str = "127.0.0.1") -> list[str]:
    """Command line that serves the console."""
    return [sys.executable, "-m", "console", "serve", "--host", host, "--port", str(port)]


def mlflow_command(uri: str, port: int) -> list[str]:
    """Command line of MLflow's own pages over the runs at `uri`."""
    return [tool("mlflow"), "server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]


def environment(home: Home) -> dict[str, str]:
    """Return the environment of a process that works on this home."""
    return {**os.environ, "RECSYS_HOME": str(home.root), **QUIET}


def start(name: str, command: Sequence[str], home: Home, *, ready: str) -> int:
    """Start a command in the background and wait until the URL `ready` answers 200; return its process id.

    One that runs already is left running. Its output goes to `<home>/run/<name>.log`. `ConfigError` when something
    else answers at that address; `MissingError` names the log when the command ends or is not ready in time.
    """
    if (known := running(name, home)) is not None:
        return known
    if answers(ready) is not None:
        raise ConfigError("port", f"something else answers at {ready}")
    home.run.mkdir(parents=True, exist_ok=True)
    log = home.run / f"{name}.log"
    output = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    pid = os.posix_spawn(
        command[0],
        list(command),
        environment(home),
        file_actions=[output, (os.POSIX_SPAWN_DUP2, 1, 2)],
        setsid=True,
    )
    _pid_file(home, name).write_text(f"{pid} {_born(pid)}", encoding="utf-8")
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and _alive(pid):
        if answers(ready) is not None:
            return pid
        time.sleep(0.2)
    stop(name, home)
    raise MissingError(f"{name} did not become ready; see {log}", f"recsys {name}")


def running(name: str, home: Home) -> int | None:
    """Return the process id of a command started before, when it is still the same process."""
    with contextlib.suppress(OSError, ValueError):
        pid, born = _pid_file(home, name).read_text(encoding="utf-8").split()
        os.kill(int(pid), 0)
        return int(pid) if _born(int(pid)) == born else None
    return None


def stop(name: str, home: Home) -> bool:
    """End a command started before and all its workers; False when none was running."""
    pid = running(name, home)
    _pid_file(home, name).unlink(missing_ok=True)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOPPED_WITHIN
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return True


def answers(url: str) -> dict[str, object] | None:
    """Return the JSON that a URL answers with 200 within a second, {} when it is no JSON object, or None."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            found = json.load(response) if response.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def names(home: Home) -> Mapping[str, int]:
    """Return what is running, by name."""
    found = {path.stem: running(path.stem, home) for path in sorted(home.run.glob("*.pid"))}
    return {name: pid for name, pid in found.items() if pid is not None}


def _born(pid: int) -> str:
    """When a process started, as the kernel counts it: a process id alone may come again; "-" where nobody tells."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return "-"
    return text.rpartition(")")[2].split()[19]


def _alive(pid: int) -> bool:
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return ended == 0


def _pid_file(home: Home, name: str) -> Path:
    return home.run / f"{name}.pid"
