from pathlib import Path

import pytest
from pydantic import Field

from recsys.core.config import Home, Settings, read_toml
from recsys.core.errors import ConfigError


class Inner(Settings):
    days: int = 7


class Outer(Settings):
    name: str
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        ({"name": "x", "colour": 1}, "colour"),
        ({"name": "x", "inner": {"days": "many"}}, "inner.days"),
        ({"name": "x", "inner": {"dayz": 1}}, "inner.dayz"),
        ({}, "name"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(data: dict[str, object], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Outer.checked(data)
    assert caught.value.fields["setting"] == setting


def test_good_settings_are_frozen() -> None:
    settings = Outer.checked({"name": "商城"})
    with pytest.raises(ValueError, match="frozen"):
        settings.name = "other"  # type: ignore[misc]


def test_toml_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(ConfigError, match="is no TOML"):
        read_toml(tmp_path / "bad.toml")


def test_the_home_follows_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "家"))
    monkeypatch.delenv("RECSYS_DATABASE_URL", raising=False)
    home = Home.default()
    assert home.tables == tmp_path / "家" / "tables"
    assert home.database == f"sqlite:///{tmp_path / '家' / 'recsys.db'}"
    monkeypatch.setenv("RECSYS_DATABASE_URL", "postgresql://x/y")
    assert home.database == "postgresql://x/y"


class Trees(Settings):
    rounds: int = 200
    leaves: int = 31


class Chosen(Settings):
    trees: Trees = Trees(rounds=50)
    other: dict[str, int] = Field(default={"kept": 1})


def test_settings_given_in_part_keep_the_rest_of_the_default_they_stand_in() -> None:
    assert Chosen.checked({"trees": {"leaves": 7}}).trees == Trees(rounds=50, leaves=7)
    assert Chosen.checked({"trees": Trees(leaves=7)}).trees == Trees(leaves=7)
    assert Chosen.checked({"other": {"new": 2}}).other == {"new": 2}
    with pytest.raises(ConfigError, match=r"trees\.rond"):
        Chosen.checked({"trees": {"rond": 7}})
