from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from recsys.models.churn import TASK as CHURN
from recsys.models.new_product import TASK as NEW_PRODUCT
from recsys.models.recommend import TASK as RECOMMEND
from training import score_files
from training.score_files import SCORES, ScoreFiles, Whole, read_panel, score_schema, scores_of
from training.top_share import TopShare


def launches(members: int, products: int, seed: int = 0) -> pd.DataFrame:
    """Scores of some products for some members each, with many that are equal."""
    rng = np.random.default_rng(seed)
    ids = [f"m{n:04d}" for n in range(members)]
    pairs = [(member, f"p{n}") for member in ids for n in range(products) if rng.random() < 0.8]
    return pd.DataFrame(pairs, columns=["member_id", "product_id"]).assign(score=rng.integers(1, 30, len(pairs)) / 100)


def cut(table: pd.DataFrame, sizes: list[int]) -> list[pd.DataFrame]:
    """Cut a table into parts of so many members each, over and over."""
    members = table["member_id"].unique()
    parts: list[pd.DataFrame] = []
    start = 0
    while start < len(members):
        size = sizes[len(parts) % len(sizes)]
        parts.append(table[table["member_id"].isin(members[start : start + size])].reset_index(drop=True))
        start += size
    return parts


def plainly(table: pd.DataFrame, share: float, least: int) -> pd.DataFrame:
    """What `TopShare` keeps, said slowly."""
    kept = []
    for _, own in table.groupby("product_id"):
        wanted = max(least, int(np.ceil(share * len(own))))
        kept.append(own.sort_values("score", ascending=False, kind="stable").head(wanted))
    return pd.concat(kept).sort_index()


@given(
    members=st.integers(1, 60),
    share=st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    least=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4),
)
def test_the_top_share_of_each_launch_is_the_same_in_parts_of_any_size(
    members: int, share: float, least: int, sizes: list[int]
) -> None:
    table = launches(members, 3)
    chosen = TopShare(share, least, members)
    for part in cut(table, sizes):
        assert chosen.part(part).empty
    found, expected = chosen.rest(), plainly(table, share, least)
    assert found is not None
    order = ["member_id", "product_id"]
    assert_frame_equal(
        found.sort_values(order, ignore_index=True), expected.sort_values(order, ignore_index=True), check_exact=True
    )
    for name, own in table.groupby("product_id"):
        told, kept = chosen.told()["launches"][name], expected[expected["product_id"] == name]
        assert told["scored"] == len(own)
        assert told["floor"] == (0.0 if len(kept) == len(own) else kept["score"].min())


def test_memory_holds_about_twice_what_is_kept() -> None:
    chosen = TopShare(0.1, 5, 1000)
    for part in cut(launches(1000, 3), [50]):
        chosen.part(part)
        assert sum(map(len, chosen._kept)) <= 2 * 100 * 3 + 150


def test_files_are_the_same_in_parts_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_files, "PANEL_ROWS", 400)
    monkeypatch.setattr(score_files, "GROUP_ROWS", 100)
    scored = pd.DataFrame({"member_id": [f"m{n:04d}" for n in range(1000)], "score": np.linspace(0, 1, 1000)})
    scored["why"] = pd.Series([["recency", "spend"]] * 1000)
    scored["why_share"] = pd.Series([[0.6, 0.2]] * 1000)
    told, tables, panels = [], [], []
    for at, sizes in enumerate(([1000], [7, 100], [1])):
        folder = tmp_path / str(at)
        folder.mkdir()
        with ScoreFiles(folder, CHURN, Whole()) as files:
            for part in cut(scored, sizes):
                files.add(part)
            told.append(files.close())
        tables.append(pq.read_table(folder / SCORES))
        panels.append(read_panel(folder))
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert tables[0].schema == score_schema(CHURN)
    assert told[0] == told[1] == told[2] == {"rows": 1000, "kept": 1000, "panel_share": told[0]["panel_share"]}
    assert_frame_equal(panels[0], panels[1])
    assert_frame_equal(panels[0], panels[2])
    assert told[0]["panel_share"] in (0.5, 0.25)
    assert 100 < len(panels[0]) <= 400
    assert list(panels[0]) == ["member_id", "score"]


def test_a_panel_of_few_rows_has_them_all_whatever_is_cut(tmp_path: Path) -> None:
    table = launches(100, 2)
    with ScoreFiles(tmp_path, NEW_PRODUCT, TopShare(0.1, 3, 100)) as files:
        for part in cut(table, [30]):
            files.add(part)
        told = files.close()
    assert (told["rows"], told["panel_share"]) == (len(table), 1.0)
    assert told["kept"] == pq.read_metadata(tmp_path / SCORES).num_rows < len(table)
    assert_frame_equal(read_panel(tmp_path), table)


def test_without_scores_there_is_an_empty_table_of_the_right_columns(tmp_path: Path) -> None:
    assert scores_of(None, RECOMMEND).table().column_names == score_schema(RECOMMEND).names
    with ScoreFiles(tmp_path, RECOMMEND, Whole()) as files:
        assert files.close() == {"rows": 0, "kept": 0, "panel_share": 1.0}
    assert scores_of(tmp_path, RECOMMEND).table().schema == score_schema(RECOMMEND)
    assert read_panel(tmp_path).empty
