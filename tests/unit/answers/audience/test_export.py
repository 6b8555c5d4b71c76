import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from recsys.answers.audience.export import Export, Part, Wanted, begin_export, find_version
from recsys.answers.audience.formats import Format
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import place_of
from recsys.answers.errors import UnknownError
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_files import id_key
from recsys.core.errors import ArtifactError
from recsys.store.audiences import AudienceVersion
from recsys.store.audit import Action, lines
from tests.audiences import ANNA, NOW, make, members

NOBODY = np.empty(0, np.uint64)
HALVES = {"hold_out": 0.5, "pressure": None}


@pytest.fixture
def version(shelf: Shelf, publication: Publication) -> AudienceVersion:
    return make(shelf, publication, terms=HALVES)


def begin(shelf: Shelf, version: AudienceVersion, kind: Format, part: Part, opted_out: "np.ndarray" = NOBODY) -> Export:
    return begin_export(shelf, version, Wanted(kind, part), opted_out, who=ANNA, now=NOW)


def read(kind: Format, data: bytes) -> list[str]:
    """Return the ids of an exported file."""
    match kind:
        case Format.CSV:
            rows: Any = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        case Format.PARQUET:
            rows = pq.read_table(io.BytesIO(data)).to_pylist()
        case Format.JSONL:
            rows = map(json.loads, data.splitlines())
    return [row["member_id"] for row in rows]


def logged(shelf: Shelf) -> list[tuple[Action, int | None, Mapping[str, Any]]]:
    return [(one.line.action, one.line.members, one.line.told) for one in lines(shelf.engine, limit=9)]


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("part", list(Part))
def test_each_format_gives_away_whom_it_is_asked_for(
    shelf: Shelf, version: AudienceVersion, kind: Format, part: Part
) -> None:
    wanted = [row["member_id"] for row in members(shelf, version) if part in ("all", row["arm"])]
    export = begin(shelf, version, kind, part)
    data = b"".join(export.chunks)
    assert read(kind, data) == wanted
    assert export.members == len(wanted)
    assert export.file_name == f"{version.draft.audience_id}-v1-{part}.{kind}"
    told = {"format": kind, "arm": part, "way": "download", "withheld": 0}
    assert logged(shelf)[:2] == [
        (Action.EXPORTED, len(wanted), {**told, "bytes": len(data), "whole": True}),
        (Action.EXPORT, len(wanted), told),
    ]


@pytest.mark.parametrize("part", list(Part))
def test_its_size_was_told_beforehand(shelf: Shelf, version: AudienceVersion, part: Part) -> None:
    for kind in (Format.CSV, Format.JSONL):
        size = sum(map(len, begin(shelf, version, kind, part).chunks))
        assert abs(version.draft.sizes[kind][part] / size - 1) < 0.05
    size = sum(map(len, begin(shelf, version, Format.PARQUET, Part.ALL).chunks))
    assert version.draft.sizes[Format.PARQUET]["all"] == size


@pytest.mark.parametrize("kind", list(Format))
def test_who_opted_out_since_is_not_given_away(shelf: Shelf, version: AudienceVersion, kind: Format) -> None:
    whole = [row["member_id"] for row in members(shelf, version)]
    gone = {whole[0], whole[7]}
    keys = np.sort(np.array([id_key(one) for one in gone], np.uint64))
    export = begin(shelf, version, kind, Part.ALL, keys)
    assert read(kind, b"".join(export.chunks)) == [one for one in whole if one not in gone]
    assert (export.members, export.withheld) == (len(whole) - 2, 2)
    assert logged(shelf)[0][2]["withheld"] == 2


def test_an_export_is_logged_before_its_first_byte_and_told_when_it_is_left(
    shelf: Shelf, version: AudienceVersion
) -> None:
    export = begin(shelf, version, Format.CSV, Part.TREATED)
    assert logged(shelf)[0][0] is Action.EXPORT
    first = next(export.chunks)
    export.chunks.close()
    action, count, told = logged(shelf)[0]
    assert (action, count, told["whole"], told["bytes"]) == (Action.EXPORTED, None, False, len(first))


def test_what_was_altered_or_is_gone_is_not_given_away(shelf: Shelf, version: AudienceVersion) -> None:
    path = place_of(shelf.root, version.draft.audience_id, 1) / "members.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        begin(shelf, version, Format.CSV, Part.ALL)
    path.unlink()
    with pytest.raises(ArtifactError):
        begin(shelf, version, Format.CSV, Part.ALL)
    assert logged(shelf)[0][0] is Action.CREATE


def test_a_version_is_found_by_its_number_the_newest_by_default(shelf: Shelf, version: AudienceVersion) -> None:
    audience_id = version.draft.audience_id
    assert find_version(shelf.engine, audience_id, None) == find_version(shelf.engine, audience_id, 1) == version
    for unknown, number, field in ((audience_id, 2, "version"), ("no-such", None, "audience_id")):
        with pytest.raises(UnknownError) as caught:
            find_version(shelf.engine, unknown, number)
        assert caught.value.fields["field"] == field
