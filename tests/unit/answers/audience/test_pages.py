import numpy as np
import pytest

from recsys.answers.audience.export import Part
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import place_of
from recsys.answers.audience.pages import MOST, PackageMember, PageAsk, members_page
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_files import id_key
from recsys.core.errors import ArtifactError
from recsys.store.audiences import AudienceVersion
from recsys.store.audit import Action, lines
from tests.audiences import ANNA, NOW, make, members

NOBODY = np.empty(0, np.uint64)


@pytest.fixture
def version(shelf: Shelf, publication: Publication) -> AudienceVersion:
    return make(shelf, publication, terms={"hold_out": 0.5, "pressure": None})


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.answers.audience.package.GROUP_ROWS", 4)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("part", list(Part))
@pytest.mark.parametrize("count", [1, 3, 7, MOST])
def test_pages_put_together_are_the_package(shelf: Shelf, version: AudienceVersion, part: Part, count: int) -> None:
    wanted = [row for row in members(shelf, version) if part in ("all", row["arm"])]
    found: list[PackageMember] = []
    for first in range(0, len(wanted) + count, count):
        page = members_page(shelf, version, PageAsk(part, first, count), NOBODY, who=ANNA, now=NOW)
        assert page.total == len(wanted)
        found += page.members
    assert [one.member_id for one in found] == [row["member_id"] for row in wanted]
    assert [one.score for one in found] == [row["score"] for row in wanted]
    assert [one.offer and one.offer.reason_zh for one in found] == [row["reason_zh"] for row in wanted]
    assert {str(one.arm) for one in found} == {row["arm"] for row in wanted}


def test_who_opted_out_since_is_not_told_and_counted(shelf: Shelf, version: AudienceVersion) -> None:
    ids = [row["member_id"] for row in members(shelf, version)]
    out = np.sort(np.array([id_key(ids[0]), id_key("nobody")], np.uint64))
    page = members_page(shelf, version, PageAsk(count=2), out, who=ANNA, now=NOW)
    assert [one.member_id for one in page.members] == ids[1:3]
    assert (page.total, page.withheld) == (len(ids) - 1, 1)


def test_looking_is_logged_with_how_many_were_seen(shelf: Shelf, version: AudienceVersion) -> None:
    members_page(shelf, version, PageAsk(first=1, count=2), NOBODY, who=ANNA, now=NOW)
    line = lines(shelf.engine, limit=1)[0].line
    assert (line.action, line.subject, line.version, line.members) == (
        Action.VIEW,
        version.draft.audience_id,
        version.version,
        2,
    )
    assert line.told == {"arm": "all", "first": 1}


def test_another_manifest_is_refused(shelf: Shelf, version: AudienceVersion) -> None:
    manifest = place_of(shelf.root, version.draft.audience_id, version.version) / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"format": 1', '"format": 1 '), encoding="utf-8")
    with pytest.raises(ArtifactError):
        members_page(shelf, version, PageAsk(), NOBODY, who=ANNA, now=NOW)
