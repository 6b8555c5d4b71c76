"""All that the console says, in Chinese and English, from one catalogue; and how numbers and days are written."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
UNKNOWN = "–"

Catalogue = Mapping[str, tuple[str, str]]
"""Key -> Chinese and English."""


def read_catalogue() -> Catalogue:
    """Read the catalogue: a table a part of the console, and each text as [Chinese, English]; keys are `part.name`."""
    data = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
    return {f"{part}.{name}": (pair[0], pair[1]) for part, texts in data.items() for name, pair in texts.items()}


@dataclass(frozen=True)
class Words:
    """The catalogue in one language."""

    language: Language
    catalogue: Catalogue

    @property
    def other(self) -> Language:
        """The language that the switch leads to."""
        return "en" if self.language == "zh" else "zh"

    def __call__(self, key: str, *values: object) -> str:
        """Return a text; `{}` in it are filled with the values in order."""
        text = self.pick(*self.catalogue[key])
        return text.format(*values) if values else text

    def name(self, part: str, code: str) -> str:
        """Return what a code of the service is called; a code that the catalogue lacks stands for itself."""
        return self(f"{part}.{code}") if f"{part}.{code}" in self.catalogue else code

    def pick(self, zh: str, en: str) -> str:
        """Return the text of this language."""
        return zh if self.language == "zh" else en

    def told(self, record: Mapping[str, Any]) -> str:
        """Return the words that the service sends in both languages."""
        return self.pick(str(record["zh"]), str(record["en"]))

    def day(self, text: str | None) -> str:
        """Write a day such as 2025-03-31, with its weekday."""
        if not text:
            return UNKNOWN
        weekdays = self("time.weekdays").split()
        return f"{text} {weekdays[date.fromisoformat(text[:10]).weekday()]}"

    def moment(self, text: str | None) -> str:
        """Write an instant to the minute, in the browser's stead in UTC."""
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else UNKNOWN


def count(number: float | None) -> str:
    """Write a whole number with its thousands apart."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with so many decimals."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share as a percentage."""
    return UNKNOWN if share is None else f"{share * 100:.{digits}f}%"
