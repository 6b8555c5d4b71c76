"""The catalogue: both languages say everything, and nothing is said that is not in it."""

import re
import string
from pathlib import Path

import pytest

import console
from console.words import UNKNOWN, Words, count, number, percent, read_catalogue

FOLDER = Path(console.__file__).parent
SAID = re.compile(r'words\(\s*f?"([a-z_]+)\.([a-z_0-9{}\[\]\'a-z]*)"')
NAMED = re.compile(r'\.name\("([a-z_]+)"')
SAYS_NOTHING = {("unit.-", "zh"), ("unit.-", "en"), ("unit.count", "zh"), ("unit.count", "en")}


def said() -> set[tuple[str, str]]:
    """Return the part and name of every text that the code asks for; a name may hold what is only known later."""
    return {found for path in FOLDER.rglob("*.py") for found in SAID.findall(path.read_text(encoding="utf-8"))}


def test_every_text_is_there_in_both_languages() -> None:
    for key, pair in read_catalogue().items():
        assert len(pair) == 2
        for language, text in zip(("zh", "en"), pair, strict=True):
            assert text.strip() or (key, language) in SAYS_NOTHING, f"{key} in {language}"


def test_both_languages_have_the_same_gaps_to_fill() -> None:
    for key, pair in read_catalogue().items():
        zh, en = (sum(part[1] is not None for part in string.Formatter().parse(text)) for text in pair)
        assert zh == en, key


def test_what_the_code_says_is_in_the_catalogue() -> None:
    catalogue = read_catalogue()
    parts = {key.partition(".")[0] for key in catalogue}
    for part, name in said():
        if "{" in name:
            fixed = re.escape(name.partition("{")[0]) + ".*" + re.escape(name.rpartition("}")[2])
            assert any(re.fullmatch(rf"{part}\.{fixed}", key) for key in catalogue), f"{part}.{name}"
        else:
            assert f"{part}.{name}" in catalogue, f"{part}.{name}"
    named = {part for path in FOLDER.rglob("*.py") for part in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert named <= parts


def test_nothing_is_in_the_catalogue_that_nobody_says() -> None:
    exact = {f"{part}.{name}" for part, name in said() if "{" not in name}
    open_parts = {part for part, name in said() if "{" in name}
    open_parts |= {part for path in FOLDER.rglob("*.py") for part in NAMED.findall(path.read_text(encoding="utf-8"))}
    left = {key for key in read_catalogue() if key not in exact and key.partition(".")[0] not in open_parts}
    assert not left


def test_no_page_has_texts_of_its_own() -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for path in FOLDER.rglob("*.py"):
        assert not chinese.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(("language", "day"), [("zh", "2025-03-31 周一"), ("en", "2025-03-31 Mon")])
def test_days_have_their_weekday(language: str, day: str) -> None:
    words = Words("zh" if language == "zh" else "en", read_catalogue())
    assert words.day("2025-03-31") == day
    assert words.day(None) == UNKNOWN


def test_a_code_that_the_catalogue_lacks_stands_for_itself() -> None:
    words = Words("en", read_catalogue())
    assert words.name("event", "view") == "View"
    assert words.name("event", "teleport") == "teleport"


def test_numbers_that_are_not_known_are_told_so() -> None:
    assert (count(1234.4), count(None)) == ("1,234", UNKNOWN)
    assert (number(1234.567), number(None), number(0.12345, 4)) == ("1,234.57", UNKNOWN, "0.1235")
    assert (percent(0.1234), percent(None), percent(1, 0)) == ("12.3%", UNKNOWN, "100%")
