from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.task import View
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder, build_snapshot
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.collaborative import CollaborativeConfig
from tests.shop import at, store

SHRINK = 2.0
COLLABORATIVE = CollaborativeConfig(min_buyers=2, neighbours=2, shrink=SHRINK, factors=4)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Milk and bread go into one basket; tea is bought by the same members as milk, on other days."""
    lines = []
    for number in range(6):
        member = f"m{number}"
        lines += [(member, day, product) for day in (3, 13, 23) for product in ("milk", "bread")]
        lines += [(member, 8, "tea")] if number < 4 else [(member, 8, "nails")]
    lines += [(f"other{number}", 5, "rope") for number in range(2)]
    orders = pd.DataFrame(lines, columns=["member_id", "n", "product_id"])
    orders["ordered_at"] = [at(day, 10) for day in orders["n"]]
    orders["order_id"] = orders["member_id"] + "-" + orders["n"].astype(str)
    orders = orders.drop(columns="n").assign(quantity=1.0, amount=2.0)
    return store(tmp_path_factory.mktemp("shop"), {"orders": orders})


@pytest.fixture(scope="module")
def folder(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> SnapshotFolder:
    return built(tables, tmp_path_factory.mktemp("snapshots"), COLLABORATIVE)


def built(tables: Tables, root: Path, collaborative: CollaborativeConfig) -> SnapshotFolder:
    candidates = CandidateConfig(product=LevelConfig(collaborative=collaborative))
    return build_snapshot(tables.at(tables.end), root, candidates=candidates)


def score(folder: SnapshotFolder, kind: str, product: str, neighbour: str) -> float:
    frame = folder.neighbours()
    chosen = frame[(frame["kind"] == kind) & (frame["product_id"] == product) & (frame["neighbour_id"] == neighbour)]
    return float(chosen["score"].item())


def test_similar_is_the_shrunk_cosine_over_members(folder: SnapshotFolder) -> None:
    assert score(folder, "similar", "milk", "tea") == pytest.approx(4 / np.sqrt((6 + SHRINK) * (4 + SHRINK)))


def test_together_is_the_shrunk_cosine_over_purchase_days(folder: SnapshotFolder) -> None:
    assert score(folder, "together", "milk", "bread") == pytest.approx(18 / (18 + SHRINK))
    frame = folder.neighbours()
    assert not ((frame["kind"] == "together") & (frame["neighbour_id"] == "tea")).any()


def test_neighbours_are_ranked_and_never_the_product_itself(folder: SnapshotFolder) -> None:
    frame = folder.neighbours()
    assert (frame["product_id"] != frame["neighbour_id"]).all()
    for _, group in frame.groupby(["kind", "product_id"]):
        assert group["rank"].tolist() == list(range(1, len(group) + 1))
        assert len(group) <= 2
        assert group["score"].is_monotonic_decreasing


def test_factors_put_a_member_s_kin_first(folder: SnapshotFolder) -> None:
    factors = folder.factors()
    products = dict(zip(factors.product_ids, factors.product_factors, strict=True))
    members = dict(zip(factors.member_ids, factors.member_factors, strict=True))
    assert members["other0"] @ products["rope"] > members["other0"] @ products["milk"]
    assert factors.member_factors.shape == (8, 4)


def test_what_neighbours_bought_becomes_a_candidate(folder: SnapshotFolder) -> None:
    pairs = folder.read(View.MEMBER_PRODUCT)
    tea = pairs[pairs["product_id"] == "tea"].set_index("member_id")
    assert tea["own_product_source"][["m0", "m5"]].tolist() == ["history", "tifu"]
    assert tea["own_product_neighbour_score"]["m5"] > 0
    assert tea["own_product_bm25_score"]["m5"] > 0
    assert "other0" not in tea.index or tea["own_product_neighbour_score"]["other0"] == 0


def test_of_many_members_those_drawn_tell_what_goes_together(
    tables: Tables, folder: SnapshotFolder, tmp_path: Path
) -> None:
    few = built(tables, tmp_path, COLLABORATIVE.model_copy(update={"members": 3}))
    told, every = few.neighbours(), folder.neighbours()
    pairs = ["kind", "product_id", "neighbour_id"]
    both = told.merge(every, on=pairs, suffixes=("", "_every"))
    assert len(both) > 0
    assert (both["score"] <= both["score_every"]).all()
    assert (both["score"] < both["score_every"]).any()
    assert score(few, "similar", "milk", "bread") <= 3 / (3 + SHRINK)
    for name in ("member_ids", "member_factors", "product_factors"):
        np.testing.assert_array_equal(getattr(few.factors(), name), getattr(folder.factors(), name))
