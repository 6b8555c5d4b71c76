"""A real console process."""

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from recsys.core.config import Home
from tests.serving_process import NOT_PASSED_ON, Running, free_port, running

HELD_BACK = (*NOT_PASSED_ON, "PYTEST_")
"""NiceGUI serves otherwise when it believes itself under test."""


def console_of(home: Home, api: str, folder: Path) -> AbstractContextManager[Running]:
    """Run the console of a service at an address until the block ends."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(HELD_BACK)},
        "RECSYS_HOME": str(home.root),
        "RECSYS_API_URL": api,
        "RECSYS_MLFLOW_URL": "http://127.0.0.1:5000",
    }
    command = [sys.executable, "-m", "console", "serve", "--port", str(port)]
    return running(command, environment, folder, f"http://127.0.0.1:{port}", "/livez")
