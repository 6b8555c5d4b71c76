"""Who else is computed at once moves no feature: any cut of the members gives the same bytes, and the same rows."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.frames import Rows
from recsys.core.task import Task, View
from recsys.data.tables import Tables
from recsys.features.assembly import STAMPS
from recsys.features.build import (
    OF_MEMBERS,
    OF_PAIRS,
    SnapshotFolder,
    build_snapshot,
    read_keys,
    read_rows,
    write_views,
)
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.prepared import Portions, Prepared, Span, prepare
from tests.shop import make_frames, make_shop, store
from tests.tasks import RECOMMEND, REPURCHASE

MEMBERS = 9
# Neighbours among few of the members, so that who is among them is decided by a draw.
FEW = CandidateConfig(pool=5, product=LevelConfig(each=4, near=3, als=3, popular=3, kin=3))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=MEMBERS, days=120, seed=3)


@pytest.fixture(scope="module")
def whole(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> SnapshotFolder:
    return build_snapshot(tables.at(tables.end), tmp_path_factory.mktemp("snapshots"), candidates=FEW)


@pytest.mark.parametrize("portions", [Portions(1, 4, 5), Portions(4, 1, 1)])
def test_any_cut_of_the_members_gives_the_same_bytes(
    tables: Tables, whole: SnapshotFolder, tmp_path: Path, portions: Portions
) -> None:
    write = partial(write_views, portions=portions)
    parts = build_snapshot(tables.at(tables.end), tmp_path, candidates=FEW, write=write)
    assert parts.manifest["files"] == whole.manifest["files"]
    assert parts.manifest["rows"] == whole.manifest["rows"]


def rows_of(prepared: Prepared, span: Span, task: Task) -> Rows:
    with prepared.part(span) as part:
        return part.rows(task)


@pytest.mark.parametrize("task", [RECOMMEND, REPURCHASE], ids=lambda task: task.name)
def test_rows_of_parts_are_those_of_the_stored_snapshot(
    tables: Tables, whole: SnapshotFolder, tmp_path: Path, task: Task
) -> None:
    with prepare(tables.at(tables.end), tmp_path, FEW) as prepared:
        parts = [rows_of(prepared, span, task) for span in prepared.spans(5)]
    stored = read_rows(whole, task)
    assert len(parts) == 2
    for streamed, kept in (("keys", stored.keys), ("values", stored.values)):
        together = pd.concat([getattr(part, streamed) for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(together, kept, check_exact=True)
    assert {part.specs for part in parts} == {stored.specs}


@pytest.mark.parametrize("task", [RECOMMEND, REPURCHASE], ids=lambda task: task.name)
def test_features_that_alone_are_wanted_are_as_they_are_among_all(
    tables: Tables, whole: SnapshotFolder, tmp_path: Path, task: Task
) -> None:
    stored = read_rows(whole, task)
    views = {View.MEMBER, task.views[0]}
    every = [spec.name for spec in stored.specs if spec.view in views]
    with prepare(tables.at(tables.end), tmp_path, FEW) as prepared:
        (span,) = prepared.spans(MEMBERS)
        for wanted in (frozenset(every[start::5]) for start in range(5)):
            with prepared.part(span, wanted | task.columns) as part:
                rows = part.rows(task, wanted)
                computed = {name for view in views for name in part.table(view).column_names}
            named = [name for name in stored.values if name in wanted]
            for found in (rows, read_rows(whole, task, wanted=wanted)):
                assert [spec.name for spec in found.specs] == named
                pd.testing.assert_frame_equal(found.keys, stored.keys, check_exact=True)
                pd.testing.assert_frame_equal(found.values, stored.values[named], check_exact=True)
            assert computed <= wanted | task.columns | {*STAMPS}


def test_a_part_tells_of_its_members_alone(tables: Tables, whole: SnapshotFolder, tmp_path: Path) -> None:
    with prepare(tables.at(tables.end), tmp_path, FEW) as prepared:
        chosen = np.array([2, 3, 6])
        with prepared.part(Span.of(chosen)) as part:
            read = {view: part.read(view) for view in View}
            keys = part.keys(RECOMMEND)
    names = prepared.members[chosen - 1]
    for view, frame in read.items():
        stored = whole.read(view)
        wanted = stored[stored["member_id"].isin(names)] if "member_id" in stored else stored
        assert len(wanted)
        pd.testing.assert_frame_equal(frame, wanted.reset_index(drop=True), check_exact=True)
    stored = read_keys(whole, RECOMMEND)
    pd.testing.assert_frame_equal(keys, stored[stored["member_id"].isin(names)].reset_index(drop=True))


def test_the_pairs_of_some_members_are_kept_as_they_are(tables: Tables, whole: SnapshotFolder, tmp_path: Path) -> None:
    some = build_snapshot(tables.at(tables.end), tmp_path, candidates=FEW.model_copy(update={"kept": 4}))
    kept = some.kept()
    assert kept is not None
    assert len(set(kept)) == 4
    assert whole.kept() is None
    for view in View:
        frame = whole.read(view)
        wanted = frame[frame["member_id"].isin(kept)].reset_index(drop=True) if view in OF_PAIRS else frame
        pd.testing.assert_frame_equal(some.read(view), wanted, check_exact=True)
    assert set(some.read(View.MEMBER_PRODUCT)["member_id"]) == set(kept)
    same = ("neighbours.parquet", "factors.npz", *(f"{view}.parquet" for view in OF_MEMBERS))
    assert all(some.manifest["files"][name] == whole.manifest["files"][name] for name in same)


def test_a_draw_takes_of_those_who_buy_often_and_seldom_alike(tmp_path: Path) -> None:
    tables = make_shop(tmp_path / "shop", members=60, days=120, seed=4)
    drawn = {}
    for day in (tables.end, tables.end.plus(days=-28)):
        (tmp_path / str(day)).mkdir()
        with prepare(tables.at(day), tmp_path / str(day), CandidateConfig(pool=1)) as prepared:
            with prepared.part(prepared.spans(1000)[0]) as part:
                visits = part.read(View.MEMBER).set_index("member_id")["purchase_days_90d"]
            codes = prepared.draw(15)
            drawn[day] = set(prepared.members[codes - 1])
            active = prepared.members[prepared.draw(10_000) - 1]
            assert len(active) > 45
            assert (np.diff(codes) > 0).all()
            assert set(prepared.members[prepared.draw(15) - 1]) == drawn[day]
            assert drawn[day] <= set(active)
            often = visits[active].median()
            shares = [float((visits[list(members)] > often).mean()) for members in (drawn[day], active)]
            assert abs(shares[0] - shares[1]) < 0.15
    first, second = drawn.values()
    assert first != second


def test_ids_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    frames = make_frames(members=6, days=90, seed=2)
    names = sorted({*frames["members"]["member_id"], *frames["orders"]["member_id"]})
    odd = dict(zip(names, ["{as_of}", "O'Brien", "{", "}}{", '"', "%s"], strict=False))
    for name in ("orders", "members", "events", "contacts", "redemptions"):
        frames[name] = frames[name].assign(member_id=frames[name]["member_id"].replace(odd))
    tables = store(tmp_path / "shop", frames)
    write = partial(write_views, portions=Portions(1, 1, 4))
    parts = build_snapshot(tables.at(tables.end), tmp_path / "parts", write=write)
    together = build_snapshot(tables.at(tables.end), tmp_path / "whole")
    assert parts.manifest["files"] == together.manifest["files"]
    assert {"{as_of}", "O'Brien"} & set(parts.read(View.MEMBER)["member_id"])
