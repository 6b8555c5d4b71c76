import os
import re
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from recsys.core.errors import ConfigError


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown key is refused by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, data: Any) -> Any:
        """Lay settings that are given in part over this class's own default for them, not over their class's.

        A union of settings has no default to lay over: which of them is meant is told by what is given.
        """
        if not isinstance(data, dict):
            return data
        usual = {
            name: field.default.model_dump()
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and isinstance(field.default, Settings)
        }
        return {
            name: _laid_over(usual[name], value) if name in usual and isinstance(value, dict) else value
            for name, value in data.items()
        }

    @classmethod
    def checked(cls, data: dict[str, Any]) -> Self:
        """Build from plain data; `ConfigError` names the first setting that is wrong, by its dotted path."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            rule = "is no setting" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
            raise ConfigError(".".join(str(part) for part in first["loc"]), rule) from error


def _laid_over(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    nested = {
        name: _laid_over(usual[name], value)
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(usual.get(name), dict)
    }
    return {**usual, **given, **nested}


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; `ConfigError` names it when it is missing or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path.resolve()), f"cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is no TOML: {error}") from error


class Home:
    """The folder that holds everything recsys makes, and the one list of what stands where in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @classmethod
    def default(cls) -> Self:
        """RECSYS_HOME, or `.recsys` in the working folder."""
        return cls(Path(os.environ.get("RECSYS_HOME", ".recsys")))

    @property
    def tables(self) -> Path:
        """Validated tables: generations and their pointer."""
        return self.root / "tables"

    @property
    def quarantine(self) -> Path:
        """Rejected rows, one parquet file a table."""
        return self.root / "quarantine"

    @property
    def snapshots(self) -> Path:
        """Feature snapshots: <view>/as_of=<day>/part.parquet."""
        return self.root / "snapshots"

    @property
    def feast(self) -> Path:
        """Feast's registry."""
        return self.root / "feast"

    @property
    def online(self) -> Path:
        """The packed online store (LMDB)."""
        return self.root / "online"

    @property
    def online_place(self) -> Path | str:
        """Where online rows are kept: the URL of a Redis in RECSYS_ONLINE_URL, or the folder `online` here."""
        return os.environ.get("RECSYS_ONLINE_URL") or self.online

    @property
    def online_name(self) -> str:
        """How to call that place: a URL tells no user and no password."""
        place = self.online_place
        return str(place) if isinstance(place, Path) else re.sub(r"//.*@", "//", place)

    @property
    def live(self) -> Path:
        """The live store (LMDB): what members did lately and stock, folded from the log of events; may be deleted."""
        return self.root / "live"

    @property
    def mlflow(self) -> Path:
        """MLflow's SQLite file and artifacts."""
        return self.root / "mlflow"

    @property
    def scores(self) -> Path:
        """Scored rows: <task>/as_of=<day>/, one sealed folder each."""
        return self.root / "scores"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of our own store: RECSYS_DATABASE_URL, or a SQLite file here."""
        return os.environ.get("RECSYS_DATABASE_URL", f"sqlite:///{self.root / 'recsys.db'}")

    @property
    def reports(self) -> Path:
        """Back-test reports: <task>.html and <task>.json."""
        return self.root / "reports"

    @property
    def models(self) -> Path:
        """What is told of model versions: <task>.json."""
        return self.root / "models"

    @property
    def overview(self) -> Path:
        """The publications there were, in a few numbers each: one JSON object a line."""
        return self.root / "overview.jsonl"

    @property
    def publications(self) -> Path:
        """Publications and their pointer."""
        return self.root / "publications"

    @property
    def tags(self) -> Path:
        """What changed in members' tags and segments from publication to publication: one sealed folder each."""
        return self.root / "tags"

    @property
    def audiences(self) -> Path:
        """Packages of audiences: <id>/v<n>/, one sealed folder each."""
        return self.root / "audiences"

    @property
    def callbacks(self) -> Path:
        """Where packages may be sent: `callbacks.toml`, written by the retailer."""
        return self.root / "callbacks.toml"

    @property
    def run(self) -> Path:
        """Process ids and logs of what runs in the background."""
        return self.root / "run"
