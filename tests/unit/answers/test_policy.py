from pathlib import Path

import pytest

from recsys.answers.policy import read_placements
from recsys.core.errors import ConfigError

GOOD = '[home]\ntitle = "Home"\nsources = [{ name = "personal" }]\n'


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "placements.toml"
    path.write_text(text)
    return read_placements(path)


def test_a_placement_needs_little(tmp_path: Path) -> None:
    read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("", "placements"),
        (GOOD + "colour = 1\n", "placements.home.colour"),
        (GOOD + "max_per_category = 0\n", "placements.home.max_per_category"),
        (GOOD + 'fallback = ["popularity"]\n', "placements.home.fallback.0"),
        (GOOD + "fallback = []\n", "placements.home"),
        ('[home]\ntitle = "Home"\nsources = []\n', "placements.home.sources"),
        (
            '[home]\ntitle = ""\nsources = [{name = "new", share = 0.6}, {name = "personal", share = 0.6}]\n',
            "placements.home",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.fields["setting"] == setting


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, "[home")
    with pytest.raises(ConfigError):
        read_placements(tmp_path / "none.toml")
