import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.answers.traits import member_traits, segments_told
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.changes import LEFT_OUT
from recsys.artifacts.tagging.columns import TagValue
from recsys.artifacts.tagging.history import (
    CHANGES,
    GONE,
    KEYS,
    Entry,
    member_history,
    publication_before,
    record,
    timeline,
)
from recsys.artifacts.tagging.settings import AlertRule
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue
from recsys.artifacts.tagging.write import Tagged
from recsys.core.config import Home
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import MANIFEST
from recsys.core.time import EPOCH
from tests.publications import AS_OF, MEMBERS, content, member_id

CODES = ("高", "mid", "low")
WEEKS = 4


def spec(codes: Sequence[str] = CODES, definition: str = "one") -> SegmentSpec:
    values = tuple(SegmentValue(code, code, code) for code in codes)
    return SegmentSpec("cut", "分", "cut", "分", "cut", values, {}, 0, definition)


def publish(
    home: Home,
    week: int,
    *,
    gone: Sequence[int] = (),
    out: Sequence[int] = (),
    codes: Sequence[str] = CODES,
    seed: int = 0,
) -> Publication:
    """Publish a week's content: member n is bought from every (n + 1)-th day on; some members are gone or opted out."""
    random = np.random.default_rng(10 * week + seed)
    made = content(seed=seed)
    as_of = AS_OF.plus(days=7 * week)
    members = made.members[~made.members["member_id"].isin([member_id(n) for n in gone])]
    members = members.assign(money_90d=random.integers(0, 3, len(members)).astype(float))
    ids = members["member_id"].to_numpy()
    numbers = np.array([int(one[-3:]) for one in ids])
    tags = pd.DataFrame(
        {
            "member_id": ids,
            "tenure_days": numbers + 7.0 * week,
            "lateness": random.random(len(ids)),
            "age_band": random.choice(np.array(["18-24", "25-34", None]), len(ids)),
            "promotion_index": random.choice([0.901, 0.904, 1.2, np.nan], len(ids)),
            "days_since_channel:小程序": (numbers + 7.0 * week) % 10,
        }
    )
    parts = pd.DataFrame({"member_id": ids, "cut": random.choice(np.array([*codes, None]), len(ids))})
    whole = replace(
        made,
        as_of=as_of,
        members=members,
        tagged=Tagged(tags, parts, (spec(codes),)),
        opted_out=tuple(member_id(n) for n in (*out, MEMBERS - 1)),
    )
    return Publication.open(write_publication(home.publications, whole))


def keep(home: Home, publication: Publication, rules: Sequence[AlertRule] = ()) -> Entry:
    before = publication_before(home.publications, home.tags, publication.as_of)
    return record(home.tags, publication, before, rules)


def expected(publication: Publication, member: str) -> dict[str, Any]:
    """What a history must end in, straight from the publication."""
    row = publication.members.row(member)
    if row is None:
        return {}
    told: dict[str, Any] = {}
    for name, column in publication.traits.tags.items():
        value: Any = column.at(row)
        if column.spec.segment is not None or name in LEFT_OUT:
            continue
        if column.spec.counts_from and isinstance(value, float):
            value = str(publication.as_of.plus(days=-round(value)))
        elif column.spec.unit in ("share", "ratio") and isinstance(value, float):
            value = pytest.approx(round(value, 2))
        elif isinstance(value, float):
            value = pytest.approx(value, rel=1e-6)
        told[name] = value
    return told | {name: cut.at(row) for name, cut in publication.traits.segments.items()}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "家")


def state(home: Home, publication: Publication, member: str) -> dict[str, TagValue]:
    folded: dict[str, TagValue] = {}
    for change in member_history(home.tags, publication, member):
        assert folded.get(change.name) == change.before
        assert change.before != change.after
        folded[change.name] = change.after
    return folded


def test_changes_add_up_to_every_publication_for_every_member(home: Home) -> None:
    line = []
    for week, gone in enumerate([(), (3, 4), (4, 5), ()]):
        line.append(publish(home, week, gone=gone))
        keep(home, line[-1])
    for publication in line:
        for n in range(MEMBERS - 1):
            told = state(home, publication, member_id(n))
            known = {name: value for name, value in expected(publication, member_id(n)).items() if value is not None}
            assert {name: value for name, value in told.items() if value is not None} == known


def test_a_history_stays_when_publications_are_gone_and_the_service_moves_on(home: Home) -> None:
    first = publish(home, 0)
    keep(home, first)
    second = publish(home, 1)
    keep(home, second)
    shutil.rmtree(first.folder)
    assert [entry.publication for entry in timeline(home.tags, second.name)] == [first.name, second.name]
    assert {change.as_of for change in member_history(home.tags, second, member_id(1))} == {
        str(first.as_of),
        str(second.as_of),
    }
    shutil.rmtree(second.folder)
    third = publish(home, 2)
    entry = keep(home, third)
    assert (entry.base, entry.movements) == (None, {})
    assert [one.publication for one in timeline(home.tags, third.name)] == [first.name, second.name, third.name]
    known = {name: value for name, value in expected(third, member_id(1)).items() if value is not None}
    told = {name: value for name, value in state(home, third, member_id(1)).items() if value is not None}
    assert told == known


def test_only_what_changed_is_written(home: Home) -> None:
    first = publish(home, 0)
    keep(home, first)
    rows = pd.read_parquet(keep(home, publish(home, 1)).folder / CHANGES)
    assert "tenure_days" not in set(rows["name"]), "it counts from the same day"
    assert "lateness" not in set(rows["name"])
    assert {"cut", "age_band", "money_90d", "days_since_channel:小程序"} <= set(rows["name"])
    assert not rows.duplicated(["row", "name"]).any()
    assert "city" not in set(rows["name"])


def test_days_counted_from_are_told_as_days(home: Home) -> None:
    publication = publish(home, 0)
    keep(home, publication)
    told = {change.name: change.after for change in member_history(home.tags, publication, member_id(7))}
    assert told["tenure_days"] == str(AS_OF.plus(days=-7))
    assert AS_OF.day > EPOCH


def test_a_day_published_again_takes_the_place_of_the_one_before_it(home: Home) -> None:
    first = publish(home, 0)
    keep(home, first)
    second = publish(home, 1)
    keep(home, second)
    again = publish(home, 1, seed=1)
    assert again.name != second.name
    entry = keep(home, again)
    assert entry.base == first.name
    third = publish(home, 2)
    assert keep(home, third).base == again.name
    assert [one.publication for one in timeline(home.tags, third.name)] == [first.name, again.name, third.name]


def test_keeping_again_changes_nothing(home: Home) -> None:
    publication = publish(home, 0)
    entry = keep(home, publication)
    assert keep(home, publication) == entry


def test_nothing_is_told_of_a_member_who_opted_out_since(home: Home) -> None:
    keep(home, publish(home, 0))
    later = publish(home, 1, out=(1,))
    keep(home, later)
    assert member_history(home.tags, later, member_id(1)) == []


def test_a_member_who_was_never_there_has_no_history_and_a_publication_not_kept_has_none_to_tell(home: Home) -> None:
    publication = publish(home, 0)
    with pytest.raises(MissingError):
        member_history(home.tags, publication, member_id(1))
    keep(home, publication)
    assert member_history(home.tags, publication, "nobody") == []


def test_movement_stands_between_two_publications_that_are_cut_alike(home: Home) -> None:
    first, second = publish(home, 0), publish(home, 1, gone=(3,))
    keep(home, first)
    moved = keep(home, second).movements["cut"]
    assert (moved.since, moved.until, moved.days) == (str(first.as_of), str(second.as_of), 7)
    assert tuple(map(sum, moved.counts))[:-1] == first.segment("cut").sizes()
    assert tuple(map(sum, zip(*moved.counts, strict=True)))[:-1] == second.segment("cut").sizes()
    assert sum(row[-1] for row in moved.counts) == 1
    otherwise = replace(spec(), definition="two")
    whole = replace(
        content(),
        as_of=AS_OF.plus(days=14),
        tagged=Tagged(
            pd.DataFrame({"member_id": [member_id(0)]}),
            pd.DataFrame({"member_id": [member_id(0)], "cut": ["mid"]}),
            (otherwise,),
        ),
    )
    assert keep(home, Publication.open(write_publication(home.publications, whole))).movements == {}


def test_alerts_are_found_against_the_weeks_before(home: Home) -> None:
    rule = AlertRule.checked({"segment": "cut", "from": ["高"], "to": ["low"], "up": 0.01, "least": 1, "weeks": WEEKS})
    for week in range(WEEKS):
        keep(home, publish(home, week), [rule])
    before = publication_before(home.publications, home.tags, AS_OF.plus(days=7 * WEEKS))
    assert before is not None
    was_high = [before.members.text(row) for row in range(len(before.members)) if before.segment("cut").at(row) == "高"]
    ids = [before.members.text(row) for row in range(len(before.members))]
    parts = pd.DataFrame({"member_id": ids, "cut": ["low" if one in was_high else "mid" for one in ids]})
    whole = replace(content(), as_of=AS_OF.plus(days=7 * WEEKS), tagged=Tagged(parts[["member_id"]], parts, (spec(),)))
    (alert,) = keep(home, Publication.open(write_publication(home.publications, whole)), [rule]).alerts
    assert alert.moved == len(was_high)
    past = [entry.movements["cut"] for entry in timeline(home.tags, before.name) if "cut" in entry.movements]
    assert alert.expected == pytest.approx(sum(one.moved(["高"], ["low"]) for one in past) / len(past))


def test_the_publication_before_is_the_last_of_an_earlier_day_that_can_be_read(home: Home) -> None:
    assert publication_before(home.publications, home.tags, AS_OF) is None
    first, second = publish(home, 0), publish(home, 1)
    later = second.as_of.plus(days=1)
    found = publication_before(home.publications, home.tags, later)
    assert found is not None
    assert found.name == second.name
    (second.folder / "churn_score.npy").write_bytes(b"broken")
    found = publication_before(home.publications, home.tags, later)
    assert found is not None
    assert found.name == first.name
    assert publication_before(home.publications, home.tags, first.as_of) is None


def test_an_entry_that_is_broken_is_refused(home: Home) -> None:
    folder = keep(home, publish(home, 0)).folder
    (folder / "manifest.json").write_text('{"files": {}, "format": 99}')
    with pytest.raises(ArtifactError):
        Entry.open(folder)


def as_an_earlier_layout(entry: Entry) -> None:
    """Make an entry look as when members stood in the changes by key, and not by row."""
    manifest = json.loads((entry.folder / MANIFEST).read_text(encoding="utf-8"))
    for name in (KEYS, GONE):
        (entry.folder / name).unlink()
        del manifest["files"][name]
    (entry.folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_what_an_earlier_layout_kept_is_left_alone_and_a_new_history_begins(home: Home) -> None:
    first = publish(home, 0)
    as_an_earlier_layout(keep(home, first))
    assert member_traits(first, home.tags, member_id(1), history=True).history == ()
    assert segments_told(first, home.tags).segments[0].sizes == ()
    second, third = publish(home, 1), publish(home, 2)
    assert [keep(home, one).base for one in (second, third)] == [None, second.name]
    known = {name: value for name, value in expected(third, member_id(1)).items() if value is not None}
    assert {name: value for name, value in state(home, third, member_id(1)).items() if value is not None} == known


def test_a_history_whose_beginning_is_of_an_earlier_layout_tells_what_changed_and_then_all(home: Home) -> None:
    first, second = publish(home, 0), publish(home, 1)
    beginning = keep(home, first)
    keep(home, second)
    as_an_earlier_layout(beginning)
    changes = member_traits(second, home.tags, member_id(1), history=True).history
    assert changes
    assert {(one.as_of, one.before) for one in changes} == {(str(second.as_of), None)}
    third, fourth = publish(home, 2), publish(home, 3)
    assert [keep(home, one).base for one in (third, fourth)] == [None, third.name]
    known = {name: value for name, value in expected(fourth, member_id(1)).items() if value is not None}
    assert {name: value for name, value in state(home, fourth, member_id(1)).items() if value is not None} == known
