"""Work that a worker has the `recsys` command do: MLflow is too large for a worker, and training is not its trade."""

import asyncio
import os
import sys
from pathlib import Path

from recsys.core.config import Home
from serving.errors import RefusedError

WITHIN = 180.0
"""Seconds after which the command is ended."""

STATUSES = {2: 422, 4: 404, 6: 409, 8: 409}
"""What the command's exit codes mean to a caller: a setting or request is wrong, a step is missing, a gate refused,
another run is at work."""

NOT_HERE = "the `recsys` command is not installed where the service runs; use it where training runs"
AT_WORK = "another promotion is at work; try again when it is done"


class Errands:
    """Runs the command, one at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._busy = False

    async def run(self, arguments: tuple[str, ...], *, who: str) -> None:
        """Run `recsys` with some arguments in somebody's name; `RefusedError` says why it failed."""
        command = Path(sys.executable).with_name("recsys")
        if not command.is_file():
            raise RefusedError(501, None, NOT_HERE)
        if self._busy:
            raise RefusedError(409, None, AT_WORK, retry_after=5)
        self._busy = True
        try:
            code, said = await self._run(command, arguments, who)
        finally:
            self._busy = False
        if code:
            lines = said.strip().splitlines()
            raise RefusedError(STATUSES.get(code, 500), None, lines[-1] if lines else "the command failed")

    async def _run(self, command: Path, arguments: tuple[str, ...], who: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "RECSYS_HOME": str(self._home.root), "RECSYS_USER": who},
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), WITHIN)
        except TimeoutError:
            process.kill()
            raise RefusedError(503, None, f"took longer than {WITHIN:g} seconds", retry_after=5) from None
        return process.returncode or 0, errors.decode("utf-8", "replace")
