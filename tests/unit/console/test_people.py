"""Who may log in: passwords kept as salted hashes, in a file of the owner's alone."""

import stat
from pathlib import Path

import pytest

from console.people import People, PersonError
from console.settings import Settings
from console.site import TRIES, Tries

PASSWORD = "correct horse"


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path / "console" / "people.json")


def test_only_the_right_password_opens(people: People) -> None:
    people.put("olga", PASSWORD, "rk_1_secret")
    found = people.check("olga", PASSWORD)
    assert found is not None
    assert found.key == "rk_1_secret"
    assert people.check("olga", PASSWORD + " ") is None
    assert people.check("nobody", PASSWORD) is None


def test_the_file_is_the_owners_alone_and_has_no_password(people: People, tmp_path: Path) -> None:
    people.put("olga", PASSWORD, "")
    file = tmp_path / "console" / "people.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text(encoding="utf-8")


def test_the_same_password_is_kept_differently_for_each(people: People) -> None:
    people.put("olga", PASSWORD, "")
    people.put("ada", PASSWORD, "")
    olga, ada = people.find("olga"), people.find("ada")
    assert olga is not None
    assert ada is not None
    assert olga.digest != ada.digest


def test_another_password_holds_at_once_and_is_told_apart(people: People) -> None:
    people.put("olga", PASSWORD, "")
    before = people.find("olga")
    people.put("olga", "another password", "")
    after = people.find("olga")
    assert before is not None
    assert after is not None
    assert before.salt != after.salt  # by which sessions know that they have ended
    assert people.check("olga", PASSWORD) is None


def test_who_was_removed_is_gone(people: People) -> None:
    people.put("olga", PASSWORD, "")
    people.remove("olga")
    assert people.names() == ()
    with pytest.raises(PersonError, match="nobody"):
        people.remove("olga")


@pytest.mark.parametrize(("name", "password"), [("olga", "short"), ("  ", PASSWORD), ("a\nb", PASSWORD)])
def test_what_cannot_be_used_is_refused(people: People, name: str, password: str) -> None:
    with pytest.raises(PersonError):
        people.put(name, password, "")


def test_wrong_passwords_make_wait_and_a_right_one_forgives() -> None:
    tries = Tries()
    for _ in range(TRIES):
        assert tries.wait("olga") == 0
        tries.wrong("olga")
    assert tries.wait("olga") > 0
    assert tries.wait("ada") == 0
    tries.right("olga")
    assert tries.wait("olga") == 0


def test_the_secret_stays_the_same(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "console", "127.0.0.1", 0, "http://localhost", "")
    assert settings.secret() == settings.secret()
    assert stat.S_IMODE((tmp_path / "console" / "secret").stat().st_mode) == 0o600
