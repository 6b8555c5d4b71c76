import pytest

from recsys.artifacts.publication_content import Tag
from recsys.artifacts.tagging.catalogue import CATALOGUE, CHANNEL_PREFIX, HOUR_BANDS, HOUR_PREFIX, tags_of
from recsys.artifacts.tagging.derive import _band
from recsys.artifacts.tagging.spec import Group, Kind, Pace, TagSpec
from recsys.core.task import View
from recsys.features.catalog import features_of

FEATURES = {spec.name: spec for spec in features_of(View.MEMBER)}


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_every_tag_is_described_in_both_languages_and_read_back_as_it_was(spec: TagSpec) -> None:
    assert all((spec.zh, spec.en, spec.about_zh, spec.about_en, spec.unit))
    assert any("一" <= letter <= "鿿" for letter in spec.zh + spec.about_zh)
    assert spec.en.isascii()
    assert TagSpec.of(spec.to_data()) == spec


@pytest.mark.parametrize("spec", [spec for spec in CATALOGUE if spec.feature is not None], ids=lambda spec: spec.name)
def test_a_tag_that_is_a_feature_is_one_of_its_kind_and_unit(spec: TagSpec) -> None:
    feature = FEATURES[str(spec.feature)]
    assert (spec.kind is Kind.TEXT) == (feature.kind == "category")
    assert spec.unit == feature.unit


def test_names_are_unique_and_every_group_pace_and_standing_is_there() -> None:
    assert len({spec.name for spec in CATALOGUE}) == len(CATALOGUE)
    assert {spec.group for spec in CATALOGUE} == set(Group)
    assert {spec.pace for spec in CATALOGUE} == set(Pace)
    assert {spec.flag for spec in CATALOGUE if spec.flag is not None} == set(Tag)


def test_what_was_not_computed_is_no_tag() -> None:
    told = {spec.name for spec in tags_of({"city"}, ["tenure_days"], ())}
    assert told == {"city", "tenure_days", *map(str, Tag)}
    assert "lifecycle_stage" in {spec.name for spec in tags_of((), (), {"lifecycle"})}


def test_channels_and_hours_have_tags_of_their_own() -> None:
    channel, hours = tags_of((), [f"{CHANNEL_PREFIX}小程序", f"{HOUR_PREFIX}night"], ())[-2:]
    assert (channel.unit, channel.counts_from, "小程序" in channel.zh) == ("days", True, True)
    assert "22" in hours.about_zh


def test_every_hour_of_the_day_is_of_one_band() -> None:
    names = list(HOUR_BANDS)
    assert [names[_band(hour)] for hour in (0, 4, 5, 10, 11, 13, 14, 17, 18, 21, 22, 23)] == (
        ["night"] * 2 + ["morning"] * 2 + ["noon"] * 2 + ["afternoon"] * 2 + ["evening"] * 2 + ["night"] * 2
    )
