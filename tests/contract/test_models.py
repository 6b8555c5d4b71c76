"""The promises of every model, over every entry of the catalogue."""

import pickletools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.stats import spearmanr

from recsys.core.errors import ArtifactError, ConfigError, MissingError
from recsys.core.folders import MANIFEST
from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.models.catalog import CATALOG
from recsys.models.contract import Explained, Selective
from tests.contract.conftest import MEMBERS, TEST, TRAINS, Case, Shop, open_shop, small
from tests.shop import Frames, make_frames

CHANCES = ("score", "p7", "p14", "p28")
AMOUNTS = ("value",)  # whose scores are sums of money
DAYS = ("low_days", "median_days", "high_days")


def reordered(rows: Rows, order: np.ndarray) -> Rows:
    keys, values = (frame.iloc[order].reset_index(drop=True) for frame in (rows.keys, rows.values))
    return replace(rows, keys=keys, values=values)


def nothing(rows: Rows) -> Rows:
    return rows.take(np.zeros(len(rows), dtype=bool))


def happened(case: Case) -> np.ndarray:
    """Whether what `score` speaks of came about, for each test row."""
    y = case.test.labels.y
    if case.name == "value":
        return np.asarray(y["money"] > y["money"].median())
    return np.asarray(y["days"] < 14 if case.name == "repurchase" else y["y"] == 1)


def test_the_name_of_an_entry_is_the_name_of_its_task() -> None:
    assert all(recipe.task.name == name for name, recipe in CATALOG.items())


def test_a_table_holds_the_keys_and_exactly_the_tasks_scores(case: Case) -> None:
    scores = case.model.score(case.test.rows)
    assert len(scores.table) > 50
    assert tuple(scores.table.columns) == (*case.model.task.keys, *case.model.task.scores)
    assert (scores.task, scores.as_of) == (case.model.task, case.test.rows.as_of)
    keys = scores.table[list(case.model.task.keys)]
    assert_frame_equal(keys, case.test.rows.keys)
    assert not keys.duplicated().any()
    assert np.isfinite(scores.table[list(case.model.task.scores)].to_numpy()).all()


def test_chances_are_chances_and_days_stand_in_order(case: Case) -> None:
    table = case.model.score(case.test.rows).table
    chances = table[[name for name in CHANCES if name in table and case.name not in AMOUNTS]]
    assert ((chances >= 0) & (chances <= 1)).all(axis=None)
    assert table["score"].nunique() > 10
    if "p7" in table:
        assert (table["score"] == table["p14"]).all()
        assert (np.diff(table[["p7", "p14", "p28"]].to_numpy(), axis=1) >= 0).all()
        assert (np.diff(table[list(DAYS)].to_numpy(), axis=1) >= 0).all()
        assert (table["low_days"] >= 0).all()


def test_every_model_tells_what_its_scores_are_made_of(case: Case) -> None:
    assert isinstance(case.model, Explained)
    shares = case.model.contributions(case.test.rows)
    assert shares.shape == (len(case.test.rows), len(case.test.rows.specs))
    assert np.isfinite(shares).all()
    score = case.model.score(case.test.rows).table["score"]
    assert spearmanr(shares.sum(axis=1), score).statistic > 0.8
    assert case.model.contributions(nothing(case.test.rows)).shape == (0, len(case.test.rows.specs))


def test_every_model_names_all_features_that_it_looks_at(case: Case) -> None:
    assert isinstance(case.model, Selective)
    rows, looked_at = case.test.rows, case.model.features
    named = tuple(spec for spec in rows.specs if spec.name in looked_at)
    assert {spec.name for spec in named} == looked_at
    few = replace(rows, values=rows.values[[spec.name for spec in named]], specs=named)
    assert_frame_equal(case.model.score(few).table, case.model.score(rows).table, check_exact=True)
    assert isinstance(case.model, Explained)
    at = [place for place, spec in enumerate(rows.specs) if spec.name in looked_at]
    whole = case.model.contributions(rows)
    assert (case.model.contributions(few) == whole[:, at]).all()
    assert not np.delete(whole, at, axis=1).any()


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(case: Case) -> None:
    recipe, before = CATALOG[case.name], case.model.score(case.test.rows).table
    assert_frame_equal(recipe.trainer(case.config).fit(case.training).score(case.test.rows).table, before)
    other = case.config.model_dump()
    other["booster"]["seed"] += 1
    again = recipe.trainer(recipe.config.checked(other)).fit(case.training)
    assert not again.score(case.test.rows).table.equals(before)


def test_saved_and_loaded_it_gives_the_same_scores_and_no_pickle_was_written(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path / "model")
    again = CATALOG[case.name].load(tmp_path / "model", case.model.task)
    assert_frame_equal(again.score(case.test.rows).table, case.model.score(case.test.rows).table)
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".txt"}
    for path in files:
        path.read_text(encoding="utf-8")
        with pytest.raises(ValueError, match=r"pickle|opcode"):
            list(pickletools.genops(path.read_bytes()))


def test_a_truncated_altered_or_missing_file_is_refused(case: Case, tmp_path: Path) -> None:
    load = CATALOG[case.name].load
    case.model.save(tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        whole = path.read_bytes()
        for spoiled in (whole[: len(whole) // 2], b"", b"{}", whole.replace(b"1", b"2", 1)):
            path.write_bytes(spoiled)
            with pytest.raises(ArtifactError):
                load(tmp_path / "model", case.model.task)
        path.unlink()
        with pytest.raises(ArtifactError):
            load(tmp_path / "model", case.model.task)
        path.write_bytes(whole)
    load(tmp_path / "model", case.model.task)


def test_a_folder_of_another_model_is_refused(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path / "model")
    for name in CATALOG.keys() - {case.name}:
        with pytest.raises(ArtifactError):
            CATALOG[name].load(tmp_path / "model", CATALOG[name].task)
    assert (tmp_path / "model" / MANIFEST).is_file()


def test_the_order_of_rows_does_not_matter(case: Case) -> None:
    rows = case.test.rows
    order = np.random.default_rng(0).permutation(len(rows))
    expected = case.model.score(rows).table.iloc[order].reset_index(drop=True)
    assert_frame_equal(case.model.score(reordered(rows, order)).table, expected)


def test_a_row_is_scored_alone_as_among_others(case: Case) -> None:
    rows = case.test.rows
    first = case.model.score(reordered(rows, np.array([0]))).table
    assert_frame_equal(first, case.model.score(rows).table.iloc[:1])


def test_no_rows_no_scores(case: Case) -> None:
    table = case.model.score(nothing(case.test.rows)).table
    assert len(table) == 0
    assert tuple(table.columns) == (*case.model.task.keys, *case.model.task.scores)


def test_values_never_seen_and_rows_of_unknowns_still_score(case: Case) -> None:
    rows = case.test.rows
    strange = rows.values.copy()
    for spec in rows.specs:
        strange[spec.name] = "从未见过" if spec.kind == "category" else 1e12
    blank = rows.values.copy()
    for spec in rows.specs:
        blank[spec.name] = None if spec.kind == "category" else np.nan
    for values in (strange, blank):
        scores = case.model.score(replace(rows, values=values)).table[list(case.model.task.scores)]
        assert np.isfinite(scores.to_numpy()).all()


def test_scores_rank_better_than_chance_and_their_mean_is_near_the_later_rate(case: Case) -> None:
    score, came = case.model.score(case.test.rows).table["score"].to_numpy(), happened(case)
    assert 5 < came.sum() < len(came)
    wins = np.subtract.outer(score[came], score[~came])
    assert (wins > 0).mean() + (wins == 0).mean() / 2 > 0.6
    if case.name in AMOUNTS:
        came = case.test.labels.y["money"].to_numpy()
        assert abs(score.mean() - came.mean()) < 0.15 * came.mean()
        return
    noise = 4 * np.sqrt(came.mean() * (1 - came.mean()) / len(came))
    assert abs(score.mean() - came.mean()) < noise + 0.25 * came.mean()


def test_one_cutoff_is_enough_to_fit_and_calibrate(case: Case) -> None:
    single = TrainingSet(case.training.examples[-1:])
    score = CATALOG[case.name].trainer(case.config).fit(single).score(case.test.rows).table["score"]
    assert np.isfinite(score).all()
    assert score.nunique() > 10


def test_no_row_to_learn_from_is_an_error_that_names_the_task(case: Case) -> None:
    (example, *_) = case.training.examples
    empty = Example(nothing(example.rows), Labels(example.labels.y.iloc[:0], example.labels.window))
    with pytest.raises(MissingError, match=case.name):
        CATALOG[case.name].trainer(case.config).fit(TrainingSet((empty,)))


def test_an_unknown_setting_is_refused_by_its_name(case: Case) -> None:
    with pytest.raises(ConfigError, match=r"booster\.depth"):
        CATALOG[case.name].config.checked({"booster": {"depth": 3}})


def test_another_horizon_of_the_training_rows_is_the_models(case: Case) -> None:
    task = replace(case.model.task, horizon=20)
    examples = tuple(Example(replace(example.rows, task=task), example.labels) for example in case.training.examples)
    assert CATALOG[case.name].trainer(case.config).fit(TrainingSet(examples)).task == task


def planted(frames: Frames, first_day: pd.Timestamp) -> Frames:
    """Every member buys, again and again, whatever there is, from the first day on."""
    orders = frames["orders"]
    rng = np.random.default_rng(5)
    more = orders.sample(3 * len(orders), replace=True, random_state=5).reset_index(drop=True)
    more["order_id"] = [f"planted-{number}" for number in range(len(more))]
    span = (orders["ordered_at"].max() - first_day).total_seconds()
    more["ordered_at"] = first_day + pd.to_timedelta(np.floor(rng.uniform(0, span, len(more))), unit="s")
    return {**frames, "orders": pd.concat([orders, more], ignore_index=True)}


def test_purchases_after_as_of_never_change_a_score(shop: Shop, case: Case, later_shop: Shop) -> None:
    assert later_shop.tables.end == shop.tables.end
    rows = later_shop.rows(case.name, shop.day(TEST))
    before = case.model.score(case.test.rows).table
    assert_frame_equal(case.model.score(rows).table, before)
    model = CATALOG[case.name].trainer(small(case.name)).fit(later_shop.training(case.name))
    assert_frame_equal(model.score(rows).table, before)
    assert not later_shop.example(case.name, shop.day(TEST)).labels.y.equals(case.test.labels.y)
    assert min(TRAINS) - case.model.task.horizon >= TEST


@pytest.fixture(scope="module")
def later_shop(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same shop but for what is bought from the test day on."""
    first_day = pd.Timestamp(shop.day(TEST).instant).tz_localize(None)
    return open_shop(tmp_path_factory.mktemp("later"), planted(make_frames(members=MEMBERS), first_day))
