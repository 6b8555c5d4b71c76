from pathlib import Path

import pytest

from recsys.artifacts.tagging.settings import Segments
from recsys.core.errors import ConfigError

GOOD = """
[segments.level]
zh = "等级"
en = "level"
about_zh = "按金额"
about_en = "by money"
cuts = { much = { tag = "money", rank = 0.5 } }

[[segments.level.values]]
code = "high"
zh = "高"
en = "high"
when = [{ tag = "money", min = "much" }]

[[alerts]]
segment = "level"
from = ["high"]
to = ["none"]
"""


def read(path: Path, text: str) -> Segments:
    (path / "segments.toml").write_text(text, encoding="utf-8")
    return Segments.of_home(path)


def test_a_home_without_a_file_has_the_one_that_comes_with_the_library(tmp_path: Path) -> None:
    shipped = Segments.of_home(tmp_path)
    assert {"lifecycle", "frequency_value", "rfm", "promotion", "preferred_channel"} <= set(shipped.segments)
    codes = [value.code for value in shipped.segments["promotion"].values]
    assert codes == ["enthusiast", "sensitive", "neutral", "indifferent"]
    assert {value.code for value in shipped.segments["lifecycle"].values} == {
        "new", "growing", "mature", "loyal", "slipping", "lost",
    }  # fmt: skip


def test_a_home_has_its_own(tmp_path: Path) -> None:
    assert set(read(tmp_path, GOOD).segments) == {"level"}


@pytest.mark.parametrize(
    ("old", "new", "setting", "rule"),
    [
        ('zh = "等级"', 'zh = ""', "segments.level.zh", "at least 1 character"),
        ("rank = 0.5", "rank = 1.5", "segments.level.cuts.much.rank", "less than 1"),
        ('tag = "money", rank', 'tag = "city", rank', "segments.level.cuts.much", "city is no number"),
        ('tag = "money", min', 'tag = "moneys", min', "segments.level.values.0.when.0", "'moneys' is no tag"),
        ('min = "much"', 'min = "more"', "segments.level", "'more' is no cut of money"),
        ('min = "much"', 'is = ["much"]', "segments.level.values.0.when.0", "money is a number"),
        ('tag = "money", min = "much"', 'tag = "regular", min = 1', "segments.level.values.0.when.0", "holds or not"),
        ('tag = "money", min = "much"', 'tag = "city"', "segments.level.values.0.when.0", "city is a text"),
        ('code = "high"', 'code = "high up"', "segments.level.values.0.code", "match pattern"),
        ('code = "high"', 'code = "high"\ncolour = "red"', "segments.level.values.0.colour", "is no setting"),
        ('segment = "level"', 'segment = "levels"', "", "alerts.0.segment: 'levels' is none of level"),
        ('from = ["high"]', 'from = ["low"]', "", "alerts.0: 'low' is no value of level"),
        ("[segments.level]", "[segments.money]", "", "segments.money: is the name of a tag"),
        ('to = ["none"]', "up = 0.0", "alerts.0.up", "greater than 0"),
        ("cuts =", 'from_tag = "city"\ncuts =', "segments.level", "either values or from_tag"),
        ('from = ["high"]\nto = ["none"]', "", "alerts.0", "needs `from` or `to`"),
        ("[[alerts]]", '[webhook]\nurl = "file:///etc/passwd"\nsecret_env = "S"\n[[alerts]]', "webhook.url", "pattern"),
        ("[[alerts]]", '[formats.sources]\n"抖音" = "video"\n[[alerts]]', "formats", "sources.抖音: 'video'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, setting: str, rule: str) -> None:
    assert old in GOOD
    text = GOOD.replace("segments.level", new.strip("[]")) if old == "[segments.level]" else GOOD.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value.fields["setting"]) == (f"segments.toml: {setting}" if setting else "segments.toml")
    assert rule in str(caught.value.fields["rule"])


def test_words_do_not_change_what_is_cut_and_limits_do(tmp_path: Path) -> None:
    made = read(tmp_path, GOOD)
    renamed = read(tmp_path, GOOD.replace('zh = "高"', 'zh = "很高"'))
    moved = read(tmp_path, GOOD.replace("rank = 0.5", "rank = 0.6"))
    definition = made.segments["level"].definition
    assert renamed.segments["level"].definition == definition
    assert moved.segments["level"].definition != definition
    assert made.digest != renamed.digest
