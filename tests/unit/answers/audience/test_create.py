import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from recsys.answers.audience.create import Order, create
from recsys.answers.audience.listing import list_audiences, view_audience
from recsys.answers.audience.make import Shelf, Terms
from recsys.answers.audience.package import Package, place_of
from recsys.answers.audience.pressure import Pressure, live_audiences
from recsys.answers.audience.spec import parse_spec
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_files import id_key
from recsys.core.errors import ArtifactError, RequestError
from recsys.store.audiences import end, newest, versions
from recsys.store.audit import Action, lines
from tests.audiences import ALL_OF_THEM, ANNA, EVERYBODY, LEAVING, NOW, make, members
from tests.publications import MEMBERS, member_id


def test_a_package_holds_who_was_picked_best_first_each_in_an_arm(shelf: Shelf, publication: Publication) -> None:
    version = make(shelf, publication, spec=LEAVING)
    rows = members(shelf, version)
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.5
    arms = [row["arm"] for row in rows]
    counts = version.draft.counts
    assert (counts["picked"], counts["members"]) == (len(rows), len(rows))
    assert (counts["treated"], counts["held_out"]) == (arms.count("treated"), arms.count("held_out"))
    assert counts["held_out"] == round(0.1 * len(rows))
    treated = sum(row["score"] for row in rows if row["arm"] == "treated")
    assert counts["expected"] == pytest.approx(treated)
    assert sum(one["members"] for one in counts["strata"]) == len(rows)
    assert rows[0]["reason"]
    assert rows[0]["reason_zh"]


def test_it_is_sealed_with_where_it_comes_from(shelf: Shelf, publication: Publication) -> None:
    version = make(shelf, publication, spec=LEAVING)
    folder = place_of(shelf.root, version.draft.audience_id, 1)
    assert Package.open(folder, version.draft.digest).folder == folder
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["lineage"] == version.draft.lineage
    assert manifest["lineage"]["publication"] == publication.name
    assert manifest["lineage"]["model_versions"]["churn"] == "1"
    assert manifest["lineage"]["rule"] == parse_spec(LEAVING).to_data()["rule"]
    assert manifest["asked"]["spec"] == parse_spec(LEAVING).to_data()
    assert manifest["who"]["name"] == ANNA.name
    assert manifest["sizes"] == version.draft.sizes


@pytest.mark.parametrize("name", ["members.parquet", "treated_keys.npy", "manifest.json"])
def test_a_package_that_was_altered_is_not_opened(shelf: Shelf, publication: Publication, name: str) -> None:
    version = make(shelf, publication)
    folder = place_of(shelf.root, version.draft.audience_id, 1)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data.replace(b"a", b"b", 1) if name.endswith("json") else data[:-1] + b"x")
    with pytest.raises(ArtifactError):
        Package.open(folder, version.draft.digest)


def test_who_opted_out_is_never_in_it_and_is_counted(shelf: Shelf, publication: Publication) -> None:
    version = make(shelf, publication)
    counts = version.draft.counts
    assert (counts["opted_out"], counts["opted_out_of_all"], counts["picked"]) == (0, 1, MEMBERS - 1)
    out = sorted(id_key(member_id(n)) for n in (1, 2, MEMBERS - 1))
    later = replace(publication, opted_out=np.array(out, np.uint64))
    again = make(shelf, later, "再来")
    assert (again.draft.counts["opted_out"], again.draft.counts["members"]) == (2, MEMBERS - 3)
    assert {member_id(1), member_id(2)}.isdisjoint(row["member_id"] for row in members(shelf, again))


class TestPressure:
    """The first ten members were contacted a week before as_of."""

    @pytest.mark.parametrize(
        ("pressure", "left_out"), [(Pressure(14, 1), 10), (Pressure(6, 1), 0), (Pressure(14, 2), 0)]
    )
    def test_known_contacts_count(
        self, shelf: Shelf, publication: Publication, pressure: Pressure, left_out: int
    ) -> None:
        version = make(shelf, publication, terms={"pressure": pressure})
        assert version.draft.counts["contacted_often"] == left_out
        contacted = {member_id(n) for n in range(10)} if left_out else set()
        assert contacted.isdisjoint(row["member_id"] for row in members(shelf, version))

    def test_who_another_live_audience_is_to_reach_counts_and_who_it_holds_out_does_not(
        self, shelf: Shelf, publication: Publication
    ) -> None:
        first = make(shelf, publication, "一", spec=LEAVING)
        second = make(shelf, publication, "二", terms={"pressure": Pressure(5, 1)})
        reached = {row["member_id"] for row in members(shelf, first) if row["arm"] == "treated"}
        assert second.draft.counts["contacted_often"] == len(reached) > 0
        assert reached.isdisjoint(row["member_id"] for row in members(shelf, second))

    def test_audiences_that_ended_or_are_of_before_the_days_do_not_count(
        self, shelf: Shelf, publication: Publication
    ) -> None:
        first = make(shelf, publication, "一", spec=LEAVING)
        order = Order(name="二", wanted=parse_spec(EVERYBODY), terms={"pressure": Pressure(5, 1)})
        later = create(shelf, publication, order, who=ANNA, now=NOW + timedelta(days=6))
        assert later.draft.counts["contacted_often"] == 0
        end(shelf.engine, later.draft.audience_id, NOW)
        end(shelf.engine, first.draft.audience_id, NOW)
        third = make(shelf, publication, "三", terms={"pressure": Pressure(5, 1)})
        assert third.draft.counts["contacted_often"] == 0

    def test_a_contact_that_is_known_by_now_is_not_counted_beside_its_audience(
        self, shelf: Shelf, publication: Publication
    ) -> None:
        before = NOW - timedelta(days=10)
        order = Order(name="一", wanted=parse_spec(EVERYBODY), terms={"hold_out": 0.0, "pressure": None})
        create(shelf, publication, order, who=ANNA, now=before)
        twice = make(shelf, publication, "二", terms={"pressure": Pressure(14, 2)})
        assert twice.draft.counts["contacted_often"] == 0
        once = make(shelf, publication, "三", terms={"pressure": Pressure(14, 1)})
        assert once.draft.counts["members"] == 0

    def test_an_audience_does_not_press_on_its_own_next_version(self, shelf: Shelf, publication: Publication) -> None:
        first = make(shelf, publication, terms={"pressure": Pressure(5, 1)})
        order = Order(audience_id=first.draft.audience_id)
        again = create(shelf, publication, order, who=ANNA, now=NOW)
        assert again.draft.counts == first.draft.counts


def test_the_next_version_asks_the_same_and_holds_out_the_same(shelf: Shelf, publication: Publication) -> None:
    first = make(shelf, publication, spec=LEAVING, terms={"hold_out": 0.2, "pressure": None, "live_days": 3})
    again = create(shelf, publication, Order(audience_id=first.draft.audience_id), who=ANNA, now=NOW)
    assert again.version == 2
    assert members(shelf, again) == members(shelf, first)
    assert again.draft.asked == first.draft.asked
    changed = Order(audience_id=first.draft.audience_id, wanted=parse_spec(EVERYBODY), terms=ALL_OF_THEM)
    third = create(shelf, publication, changed, who=ANNA, now=NOW)
    assert (third.version, third.draft.counts["members"]) == (3, MEMBERS - 1)
    assert members(shelf, first)[0] == members(shelf, again)[0]


def test_an_audience_of_nobody_is_one(shelf: Shelf, publication: Publication) -> None:
    version = make(shelf, publication, spec={"rule": {"not": {"all": []}}})
    assert (version.draft.counts["members"], version.draft.counts["strata"]) == (0, [])
    assert members(shelf, version) == []
    (live,) = live_audiences(shelf.engine, shelf.root, NOW)
    assert len(live.treated) == 0


def test_what_is_wrong_with_an_order_is_named_and_nothing_is_made(shelf: Shelf, publication: Publication) -> None:
    spec = parse_spec(EVERYBODY)
    first = make(shelf, publication)
    wrong = {
        "name": [Order(wanted=spec), Order(name=" ", wanted=spec), Order(name="x" * 81, wanted=spec)],
        "name ": [Order(name="x", audience_id=first.draft.audience_id), Order(name="流失", wanted=spec)],
        "rule": [Order(name="x")],
        "template": [Order(name="x", wanted=parse_spec({"template": "no-such"}))],
        "audience_id": [Order(audience_id="no-such")],
    }
    for field, orders in wrong.items():
        for order in orders:
            with pytest.raises(RequestError) as caught:
                create(shelf, publication, order, who=ANNA, now=NOW)
            assert caught.value.fields["field"] == field.strip()
    wrong_terms: dict[str, list[dict[str, Any]]] = {
        "hold_out": [{"hold_out": 0.51}, {"hold_out": -0.1}],
        "live_days": [{"live_days": 0}, {"live_days": 401}],
        "pressure.days": [{"pressure": Pressure(0, 1)}],
        "pressure.most": [{"pressure": Pressure(1, 0)}],
    }
    for field, all_terms in wrong_terms.items():
        for one in all_terms:
            with pytest.raises(RequestError) as caught:
                Terms(**one)
            assert caught.value.fields["field"] == field
    assert newest(shelf.engine) == (first,)
    assert {path.name for path in shelf.root.iterdir()} == {"making", first.draft.audience_id}
    assert list((shelf.root / "making").iterdir()) == []


def test_who_makes_and_who_looks_is_logged(shelf: Shelf, publication: Publication) -> None:
    version = make(shelf, publication)
    audience_id = version.draft.audience_id
    card = list_audiences(shelf, who=ANNA, now=NOW).audiences[0]
    assert (card.audience_id, card.name, card.status, card.members) == (audience_id, "流失", "live", MEMBERS - 1)
    detail = view_audience(shelf, audience_id, who=ANNA, now=NOW)
    assert [one.version for one in detail.versions] == [1]
    with pytest.raises(UnknownError):
        view_audience(shelf, "no-such", who=ANNA, now=NOW)
    found = [one.line for one in lines(shelf.engine, limit=10)]
    assert [(line.action, line.subject) for line in found] == [
        (Action.VIEW, audience_id),
        (Action.LIST, ""),
        (Action.CREATE, audience_id),
    ]
    assert {line.who for line in found} == {ANNA}
    assert (found[-1].members, found[-1].told["treated"]) == (MEMBERS - 1, version.draft.counts["treated"])


def test_versions_of_one_audience_stand_beside_each_other(shelf: Shelf, publication: Publication) -> None:
    first = make(shelf, publication)
    create(shelf, publication, Order(audience_id=first.draft.audience_id), who=ANNA, now=NOW)
    folder = shelf.root / first.draft.audience_id
    assert sorted(path.name for path in folder.iterdir()) == ["v1", "v2"]
    for version in versions(shelf.engine, first.draft.audience_id):
        Package.open(folder / f"v{version.version}", version.draft.digest)
