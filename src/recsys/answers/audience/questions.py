"""The questions that a template asks in plain words, and what can be answered to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from recsys.answers.audience.spec import Answer
from recsys.answers.errors import UnknownError
from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError


class Kind(StrEnum):
    """What an answer is."""

    CATEGORIES = "categories"
    PRODUCT = "product"
    DAYS = "days"
    SHARE = "share"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that can be chosen."""

    __pydantic_config__ = DESCRIBED
    value: str | int
    """What is sent."""
    zh: str
    """Chinese text."""
    en: str
    """English text."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a template."""

    __pydantic_config__ = DESCRIBED
    name: str
    """The answer's name."""
    kind: Kind
    """`categories`: a list of names; `product`: a product id; `days`: a whole number; `share`: a number in [0, 1];
    `choice`: one of the choices."""
    zh: str
    """Chinese text."""
    en: str
    """English text."""
    default: str | int | float | tuple[str, ...] | None
    """What holds when nothing is answered; null = an answer is needed."""
    low: float = 0
    """The least number, where one is asked for."""
    high: float = 1
    """The greatest number."""
    choices: tuple[Choice, ...] = ()
    """What can be chosen."""


@dataclass(frozen=True)
class Given:
    """An answer to each question of a template, checked against its kind."""

    values: Mapping[str, Answer]

    def days(self, name: str) -> int:
        """Return a number of days, or a chosen whole number."""
        return cast("int", self.values[name])

    def share(self, name: str) -> float:
        """Return a number in [0, 1]."""
        return float(cast("float", self.values[name]))

    def text(self, name: str) -> str:
        """Return a product id or a chosen text."""
        return cast("str", self.values[name])

    def names(self, name: str) -> tuple[str, ...]:
        """Return names of categories."""
        return cast("tuple[str, ...]", self.values[name])


def answered(publication: Publication, questions: tuple[Question, ...], answers: Mapping[str, Answer]) -> Given:
    """Return an answer to each question, the default where none is given; errors name `answers.<question>`."""
    names = {question.name for question in questions}
    for name in answers:
        if name not in names:
            raise RequestError(f"answers.{name}", f"answers none of {', '.join(sorted(names))}")
    return Given({one.name: _answer(publication, one, answers.get(one.name)) for one in questions})


def _answer(publication: Publication, question: Question, answer: Answer | None) -> Answer:
    at = f"answers.{question.name}"
    given = question.default if answer is None else answer
    if given is None or (question.default is None and given == ()):
        raise RequestError(at, "is needed")
    match question.kind:
        case Kind.CATEGORIES:
            return _categories(publication, given, at)
        case Kind.PRODUCT:
            return _product(publication, given, at)
        case Kind.CHOICE:
            values = [choice.value for choice in question.choices]
            if isinstance(given, bool) or given not in values:
                raise RequestError(at, f"is none of {', '.join(map(str, values))}")
            return given
        case _:
            return _number(question, given, at)


def _categories(publication: Publication, given: Answer, at: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, tuple):
        raise RequestError(at, "must be a list of texts")
    for place, name in enumerate(names):
        if publication.category_row(name) is None:
            raise UnknownError(f"{at}.{place}", f"{name!r} is no known category")
    return names


def _product(publication: Publication, given: Answer, at: str) -> str:
    if not isinstance(given, str):
        raise RequestError(at, "must be a text")
    if publication.products.row(given) is None:
        raise UnknownError(at, f"{given!r} is no known product")
    return given


def _number(question: Question, given: Answer, at: str) -> int | float:
    whole = question.kind is Kind.DAYS
    if isinstance(given, (str, tuple, bool)) or (whole and not isinstance(given, int)):
        raise RequestError(at, f"must be a {'whole ' if whole else ''}number")
    if not question.low <= given <= question.high:
        raise RequestError(at, f"must be from {question.low:g} to {question.high:g}")
    return given
