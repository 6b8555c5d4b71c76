import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.facts import DayFacts
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import FACT_DAYS
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError
from tests.publications import AS_OF, MEMBERS, Made, content, member_id, product_id


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), content()))


def told(publication: Publication, facts: DayFacts) -> pd.DataFrame:
    """Facts back in words, in the order in which they stand."""
    columns = {name: np.asarray(values).tolist() for name, values in facts.columns.items()}
    members = [publication.members.text(row) for row in facts.member.tolist()]
    days = facts.day(np.arange(len(facts.member))).tolist()
    return pd.DataFrame({"day": days, "member_id": members, **columns})


def sorted_rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return sorted(
        map(tuple, frame.astype(object).where(frame.notna(), other=np.nan).replace({np.nan: None}).to_numpy().tolist()),
        key=repr,
    )


def test_purchases_are_read_as_they_were_written(publication: Publication) -> None:
    found = told(publication, publication.facts.purchases)
    found["product_id"] = [publication.products.text(row) for row in found.pop("product")]
    columns = ["day", "member_id", "product_id", "hour"]
    assert sorted_rows(found[columns]) == sorted_rows(content().purchases[columns])
    assert found["amount"].sum() == pytest.approx(content().purchases["amount"].sum(), rel=1e-6)


def test_events_keep_their_type_and_may_be_without_a_product(publication: Publication) -> None:
    facts = publication.facts
    found = told(publication, facts.events)
    found["type"] = [facts.event_types[code] for code in found["type"]]
    found["product_id"] = [publication.products.text(row) if row >= 0 else None for row in found.pop("product")]
    columns = ["day", "member_id", "type", "product_id", "hour"]
    assert sorted_rows(found[columns]) == sorted_rows(content().events[columns])


def test_contacts_are_told_in_names(publication: Publication) -> None:
    facts = publication.facts
    found = told(publication, facts.contacts)
    named = {"campaign": facts.campaigns, "channel": facts.channels, "format": facts.formats}
    for column, names in named.items():
        found[column] = [names[code] if code >= 0 else None for code in found[column]]
    columns = ["day", "member_id", "campaign_id", "channel", "content_format"]
    assert sorted_rows(found) == sorted_rows(content().contacts[columns])


def test_a_day_is_a_slice_and_members_ascend_within_it(publication: Publication) -> None:
    facts = publication.facts.purchases
    assert facts.days == FACT_DAYS
    yesterday = facts.span(1)
    assert (np.diff(facts.member[yesterday]) >= 0).all()
    assert set(facts.day(np.arange(yesterday.start, yesterday.stop)).tolist()) == {AS_OF.number - 1}
    assert facts.span(FACT_DAYS) == facts.span(10 * FACT_DAYS) == slice(0, len(facts.member))


def test_a_members_own_facts_come_oldest_first(publication: Publication) -> None:
    facts, row = publication.facts.purchases, publication.members.row(member_id(7))
    assert row is not None
    at = facts.of_member(row)
    assert (facts.member[at] == row).all()
    assert facts.day(at).tolist() == [AS_OF.number - ago for ago in (6, 5, 5, 4, 3, 2, 1)]
    nobody = publication.members.row(member_id(MEMBERS - 2))
    assert nobody is not None
    assert not len(facts.of_member(nobody))


def with_purchases(rows: list[tuple[int, str, str]]) -> Made:
    frame = pd.DataFrame(rows, columns=["day", "member_id", "product_id"])
    return dataclasses.replace(content(), purchases=frame.assign(quantity=1.0, amount=1.0, hour=0))


def test_only_the_days_before_as_of_and_what_is_known_is_kept(tmp_path: Path) -> None:
    one, out = member_id(1), member_id(MEMBERS - 1)
    made = with_purchases(
        [
            (AS_OF.number - FACT_DAYS - 1, one, product_id(1)),
            (AS_OF.number - FACT_DAYS, one, product_id(2)),
            (AS_OF.number - 1, one, product_id(3)),
            (AS_OF.number, one, product_id(4)),
            (AS_OF.number - 1, out, product_id(5)),
            (AS_OF.number - 1, "?", product_id(5)),
            (AS_OF.number - 1, one, "?"),
        ]
    )
    publication = Publication.open(write_publication(tmp_path, made))
    facts = publication.facts.purchases
    kept = [publication.products.text(row) for row in facts.columns["product"].tolist()]
    assert kept == [product_id(2), product_id(3)]
    assert (facts.start[1], facts.start[-2]) == (1, 1)


def test_ids_may_come_as_categories_and_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    made = content()
    coded = made.purchases.astype({"member_id": "category", "product_id": "category"}).sample(frac=1, random_state=3)
    again = dataclasses.replace(made, purchases=coded)
    assert write_publication(tmp_path, again) == write_publication(tmp_path, made)


def test_without_facts_there_are_none(tmp_path: Path) -> None:
    made = content()
    empty = {name: getattr(made, name).iloc[:0] for name in ("purchases", "events", "contacts")}
    facts = Publication.open(write_publication(tmp_path, dataclasses.replace(made, **empty))).facts
    assert not len(facts.purchases.member)
    assert facts.channels == ()
    assert not len(facts.events.of_member(0))


@pytest.mark.parametrize(("name", "change"), [("events_product", 99), ("contacts_member", -1), ("events_start", -5)])
def test_facts_out_of_bounds_are_refused(tmp_path: Path, name: str, change: int) -> None:
    folder = write_publication(tmp_path, content())
    path = folder / f"{name}.npy"
    values = np.load(path)
    values[len(values) // 2] = change
    np.save(path, values)
    reseal(folder)
    with pytest.raises(ArtifactError) as caught:
        Publication.open(folder)
    assert caught.value.fields["path"] == str(path)


def reseal(folder: Path) -> None:
    import json

    from recsys.core.folders import MANIFEST, file_digest

    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: file_digest(folder / name) for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
