"""How a retailer's own layout becomes our tables: the settings of `recsys.toml`."""

import os
from collections.abc import Collection
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError
from recsys.data.schema import SCHEMA

MALL = "mall"
MONTHS = 1200


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error
    return name


def _zone_or_mall(name: str) -> str:
    return name if name == MALL else _known_zone(name)


def _column(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


Zone = Annotated[str, BeforeValidator(_known_zone)]
ZoneOrMall = Annotated[str, BeforeValidator(_zone_or_mall)]


class FilesSource(Settings):
    """Parquet and CSV files in a folder.

    folder: relative to the mapping file.
    encoding: of CSV files, as Python names it, such as gb18030.
    delimiter: of CSV files, one character; null = found by looking.
    """

    kind: Literal["files"] = "files"
    folder: Path = Path()
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, pattern=r'^[^"\r\n]$')


class SqlSource(Settings):
    """A SQL database.

    url: SQLAlchemy URL. url_env: environment variable that holds it, so that no password stands in a file.
    chunk: rows held in memory at once.
    """

    kind: Literal["sql"]
    url: str | None = None
    url_env: str | None = None
    chunk: int = Field(default=50_000, ge=1)

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env")
        return self

    def address(self) -> str:
        """Return the URL; `ConfigError` when its environment variable is not set."""
        if self.url is not None:
            return self.url
        found = os.environ.get(str(self.url_env))
        if not found:
            raise ConfigError("source.url_env", f"the environment variable {self.url_env} is not set")
        return found


class ColumnMapping(Settings):
    """Where one of our columns comes from: a source column, or an SQL expression (DuckDB's) over source columns.

    zone: IANA zone of times that carry none, or "mall"; null = the table's.
    format: of texts that are times or dates, as strptime writes it; null = ISO.
    """

    source: str | None = Field(default=None, alias="from")
    sql: str | None = None
    zone: ZoneOrMall | None = None
    format: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.source is None) == (self.sql is None):
            raise ValueError("give either from or sql")
        return self


class TableMapping(Settings):
    """Where one of our tables comes from.

    source: a file, a glob of files or a database table; null = named as ours.
    query: SQL instead of it: the database's own, or DuckDB's with each file of the folder as a table named by its stem.
    columns: our column -> its origin; a column that is not listed is taken from the source column of the same name.
    casts: source column -> DuckDB type, done before expressions; what cannot be cast makes a bad row.
    where: SQL condition of the rows to take; the others are counted as skipped.
    zone: IANA zone of times that carry none, or "mall".
    attributes: source columns to put into `attributes`.
    one_per_key: equal keys are expected: the last row is taken and the others are skipped, not refused.
    negative_is_return: (orders) a negative quantity says that goods came back; quantity, amount and discount lose their
        sign.
    """

    source: str | None = Field(default=None, alias="from")
    query: str | None = None
    columns: dict[str, Annotated[ColumnMapping, BeforeValidator(_column)]] = Field(default_factory=dict)
    casts: dict[str, str] = Field(default_factory=dict)
    where: str | None = None
    zone: ZoneOrMall = "UTC"
    attributes: tuple[str, ...] = ()
    one_per_key: bool = False
    negative_is_return: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.source is not None and self.query is not None:
            raise ValueError("give either from or query")
        return self


class LifeStage(Settings):
    """A category that is needed in a span of a child's age: formula of one stage, diapers of one size.

    category: as the products name it.
    from_month, to_month: calendar months after birth; the need lasts from the day the child is from_month old up to and
        without the day it is to_month old.
    next_category: what takes its place then; null = nothing.
    """

    category: str = Field(min_length=1)
    from_month: int = Field(ge=0, le=MONTHS)
    to_month: int = Field(le=MONTHS)
    next_category: str | None = Field(default=None, min_length=1)

    @field_validator("to_month")
    @classmethod
    def _after_its_beginning(cls, to_month: int, info: ValidationInfo) -> int:
        if to_month <= info.data.get("from_month", -1):
            raise ValueError("must be above from_month")
        return to_month

    @field_validator("next_category")
    @classmethod
    def _another(cls, next_category: str | None, info: ValidationInfo) -> str | None:
        if next_category is not None and next_category == info.data.get("category"):
            raise ValueError("must be another category")
        return next_category


class IngestConfig(Settings):
    """All of `recsys.toml`.

    timezone: IANA zone of the mall, in which days are cut.
    origin: whose data they are: a sample's name, or "" for the retailer's own; one home holds the data of one.
    max_bad_share: share of a table's rows, 0..1, above which bad rows stop the run.
    latest: rows that came to be after it are bad; without an offset it is wall-clock time in `timezone`;
        null = a day after this machine's clock.
    tables: a table that is not listed is taken when the source has one of its name; one that is listed must be there.
    life_stages: the categories that a child outgrows; a category may have several spans that do not overlap.
    """

    timezone: Zone
    origin: str = ""
    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    latest: datetime | None = None
    source: Annotated[FilesSource | SqlSource, Field(discriminator="kind")] = FilesSource()
    tables: dict[str, TableMapping] = Field(default_factory=dict)
    life_stages: tuple[LifeStage, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _files_unless_said(cls, data: Any) -> Any:
        source = data.get("source") if isinstance(data, dict) else None
        if isinstance(source, dict) and "kind" not in source:
            return {**data, "source": {"kind": "files", **source}}
        return data

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, tables: dict[str, TableMapping]) -> dict[str, TableMapping]:
        for name, mapping in tables.items():
            if name not in SCHEMA:
                raise ValueError(f"{name} is none of {', '.join(SCHEMA)}")
            known = {column.name for column in SCHEMA[name].columns}
            unknown = [column for column in mapping.columns if column not in known]
            if unknown:
                raise ValueError(f"{name} has no column {unknown[0]}; it has {', '.join(sorted(known))}")
            if mapping.attributes and ("attributes" not in known or "attributes" in mapping.columns):
                raise ValueError(f"{name}.attributes: give the names once, to a table that has attributes")
            if mapping.negative_is_return and name != "orders":
                raise ValueError(f"{name}.negative_is_return is for orders only")
        return tables

    @field_validator("life_stages")
    @classmethod
    def _one_after_the_other(cls, stages: tuple[LifeStage, ...]) -> tuple[LifeStage, ...]:
        ordered = sorted(stages, key=lambda stage: (stage.category, stage.from_month))
        for early, late in pairwise(ordered):
            if early.category == late.category and late.from_month < early.to_month:
                raise ValueError(f"{late.category} has two stages at month {late.from_month}")
        return stages

    @classmethod
    def load(cls, path: Path, *, others: Collection[str] = ()) -> Self:
        """Read a mapping file; `ConfigError` names the first setting that is wrong.

        others: sections of the file that speak of something else.
        """
        config = cls.checked({name: value for name, value in read_toml(path).items() if name not in others})
        if isinstance(config.source, SqlSource):
            return config
        source = config.source.model_copy(update={"folder": path.parent / config.source.folder})
        return config.model_copy(update={"source": source})
