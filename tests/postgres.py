"""A real Postgres for tests: Debian's, installed where it is missing and may be, run in a folder of its own."""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.debian import install
from tests.serving_process import free_port

READY_WITHIN = 60.0
INSTALL_WITHIN = 300
USER = "postgres"


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server until the block ends; yields the URL of its first database. Skips, saying why, where none can be."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="recsys-postgres-"))
    port = free_port()
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c max_connections=100"
    try:
        _run([str(binaries / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"])
        _run([str(binaries / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start"])
        try:
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run([str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Make a database of its own until the block ends; yields its URL."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()


@functools.cache
def _binaries() -> Path:
    found = _found() or _installed()
    if isinstance(found, Path):
        return found
    reason = f"POSTGRES IS NOT TESTED HERE: {found}; run `apt-get install postgresql` and test again"
    pytest.skip(reason)


def _found() -> Path | None:
    """Return the folder of the newest server's programs."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return None if on_path is None or shutil.which("pg_ctl") is None else Path(on_path).parent


def _installed() -> Path | str:
    """Install Debian's package; return why not where that cannot be."""
    refused = install("postgresql", within=INSTALL_WITHIN)
    if refused is not None:
        return refused
    return _found() or "apt-get installed it, but its programs are not to be found"


def _run(command: Sequence[str]) -> None:
    """Run a program of Postgres, which refuses to be run by root."""
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*as_user, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        timeout=READY_WITHIN,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stdout.decode(errors="replace"))
