from pathlib import Path

import pytest

from recsys.answers.policy import PLACEMENTS, Placements
from recsys.core.config import Home
from serving.placements_file import PlacementsFile

SHELF = '[shelf]\ntitle = "Shelf"\nsources = [{ name = "personal" }]\n'
WRONG = "[shelf]\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def take(_: Placements) -> None:
    """Take all placements."""


def write(home: Home, text: str) -> None:
    """Replace the file, as a careful editor does."""
    part = home.root / "part"
    part.write_text(text, encoding="utf-8")
    part.replace(home.root / PLACEMENTS)


def names(file: PlacementsFile) -> set[str]:
    return set(file.current.placements)


def test_without_a_file_of_the_home_the_services_own_placements_hold(home: Home) -> None:
    file = PlacementsFile(home, take)
    assert "home" in names(file)
    assert not file.follow()


def test_a_file_is_taken_when_it_appears_changes_and_goes(home: Home) -> None:
    tried: list[set[str]] = []
    file = PlacementsFile(home, lambda placements: tried.append(set(placements.placements)))
    write(home, SHELF)
    assert file.follow()
    assert not file.follow()
    assert names(file) == {"shelf"}
    write(home, SHELF.replace("shelf", "wall"))
    assert file.follow()
    assert names(file) == {"wall"}
    (home.root / PLACEMENTS).unlink()
    assert file.follow()
    assert "home" in names(file)
    assert tried[:2] == [{"shelf"}, {"wall"}]
    assert "home" in tried[2]


@pytest.mark.parametrize(
    "text",
    [WRONG, "no toml", SHELF + "colour = 1\n", SHELF.replace("personal", "magic"), ""],
)
def test_a_wrong_file_is_refused_whole_told_and_the_old_one_goes_on(home: Home, text: str) -> None:
    write(home, SHELF)
    file = PlacementsFile(home, take)
    write(home, text)
    assert file.follow()
    assert names(file) == {"shelf"}
    assert file.wrong is not None
    assert str(home.root) not in file.wrong.setting + file.wrong.rule
    write(home, SHELF.replace("shelf", "wall"))
    assert file.follow()
    assert names(file) == {"wall"}
    assert file.wrong is None


def test_placements_that_cannot_be_answered_by_are_refused(home: Home) -> None:
    def fail(placements: Placements) -> None:
        if "wall" in placements.placements:
            raise ZeroDivisionError

    write(home, SHELF)
    file = PlacementsFile(home, fail)
    write(home, SHELF.replace("shelf", "wall"))
    assert file.follow()
    assert names(file) == {"shelf"}
    assert file.wrong is not None
    assert "ZeroDivisionError" in file.wrong.rule


def test_a_worker_that_starts_while_the_file_is_wrong_begins_with_what_was_taken_last(home: Home) -> None:
    write(home, SHELF)
    PlacementsFile(home, take)
    write(home, WRONG)
    file = PlacementsFile(home, take)
    assert names(file) == {"shelf"}
    assert file.wrong is not None


def test_a_home_whose_first_file_is_wrong_begins_with_the_services_own(home: Home) -> None:
    write(home, WRONG)
    file = PlacementsFile(home, take)
    assert "home" in names(file)
    assert file.wrong is not None
