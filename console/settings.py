"""What a console is told when it starts."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from recsys.core.config import Home

API = "http://127.0.0.1:3000"
MLFLOW = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class Settings:
    """What a console is told when it starts.

    folder: keeps the people who may log in, their sessions and the secret that signs cookies.
    api: address of the service. mlflow: address of MLflow's pages, for links; empty = there is none.
    """

    folder: Path
    host: str
    port: int
    api: str
    mlflow: str

    @classmethod
    def read(cls, host: str, port: int) -> "Settings":
        """Read the rest from the environment: RECSYS_HOME, RECSYS_API_URL and RECSYS_MLFLOW_URL."""
        api = os.environ.get("RECSYS_API_URL", API).rstrip("/")
        mlflow = os.environ.get("RECSYS_MLFLOW_URL", MLFLOW).rstrip("/")
        return cls(Home.default().root / "console", host, port, api, mlflow)

    def secret(self) -> str:
        """Return what signs cookies; made on first use, and read by the owner alone."""
        path = self.folder / "secret"
        if not path.is_file():
            private(path, secrets.token_urlsafe(32))
        return path.read_text(encoding="ascii")


def private(path: Path, text: str) -> None:
    """Replace a file that the owner alone may read, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    aside.touch(mode=0o600)
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
