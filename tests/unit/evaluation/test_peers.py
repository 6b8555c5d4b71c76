"""Every peer keeps the promises of a model, on rows invented from the features that it reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import ArtifactError, ConfigError, MissingError
from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import Fold, backtest
from recsys.evaluation.metrics import LISTED
from recsys.evaluation.peers import PEERS, load_peer, peers_of, simplest
from recsys.evaluation.peers.repurchase import fit_gamma
from recsys.features.catalog import features_of
from tests.unit.evaluation.made import FIRST, task_of

EVERY = sorted((task, rule.name) for task, rules in PEERS.items() for rule in rules)


def example(task_name: str, as_of: AsOf = FIRST, *, size: int = 600, seed: int = 0) -> Example:
    """Draw rows with all features of a task: numbers in a plausible order, one in five unknown where that may be."""
    rng = np.random.default_rng(seed + as_of.number)
    task = task_of(task_name)
    specs = tuple(spec for view in task.views for spec in features_of(view))
    values = {}
    for spec in specs:
        drawn = np.floor(rng.gamma(1.5, 10, size)) if spec.kind == "number" else rng.choice(["a", "b", "c"], size)
        may_be_unknown = spec.null_meaning != "never null" and spec.kind == "number"
        values[spec.name] = np.where(rng.random(size) < 0.2, np.nan, drawn) if may_be_unknown else drawn
    frame = pd.DataFrame(values)
    for recency, first in (
        ("days_since_purchase", "days_since_first_purchase"),
        ("own_category_days_since_purchase", "own_category_days_since_first_purchase"),
    ):
        if recency in frame:
            frame[recency] = frame[recency].fillna(5) + 1
            frame[first] = frame[recency] + np.floor(rng.gamma(2, 40, size))
            count = first.replace("days_since_first_purchase", "purchase_days")
            frame[count] = 1 + np.minimum(rng.poisson(3, size), frame[first] - frame[recency])
    keys = pd.DataFrame(
        {name: [f"{name}-{n % 7 if name == 'category' else n}" for n in range(size)] for name in task.keys}
    )
    if task_name == "repurchase":
        days = np.floor(rng.exponential(20 + frame["category_median_gap"].fillna(10).to_numpy()))
        y = pd.DataFrame({"days": np.where(days < 56, days, np.nan), "observed": np.full(size, 56.0)})
    elif task_name == "value":
        purchases = rng.poisson(rng.gamma(1.0, 5.0, size)).astype(float)
        money = purchases * np.round(rng.gamma(3.0, 10.0, size), 2)
        y = pd.DataFrame({"purchases": purchases, "money": money, "margin": 0.25 * money})
    else:
        y = pd.DataFrame({"y": (rng.random(size) < 0.2).astype(float)})
    window = Window.after(as_of, days=task.horizon)
    return Example(Rows(task, as_of, keys, frame, specs), Labels(y, window))


def training(task_name: str) -> TrainingSet:
    return TrainingSet((example(task_name, FIRST.plus(days=-28)), example(task_name)))


def take(rows: Rows, order: np.ndarray) -> Rows:
    return replace(
        rows, keys=rows.keys.iloc[order].reset_index(drop=True), values=rows.values.iloc[order].reset_index(drop=True)
    )


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_peer_keeps_the_promises_of_a_model(task: str, name: str, tmp_path: Path) -> None:
    peer = peers_of(task_of(task))[name]
    rows = example(task, seed=9).rows

    model = peer.fit(training(task))
    scores = model.score(rows).table

    pd.testing.assert_frame_equal(scores[list(rows.keys)], rows.keys)
    assert list(scores)[len(rows.keys.columns) :] == list(rows.task.scores)
    assert np.isfinite(scores[list(rows.task.scores)].to_numpy()).all()
    pd.testing.assert_frame_equal(peer.fit(training(task)).score(rows).table, scores)
    turned = np.random.default_rng(0).permutation(len(rows))
    pd.testing.assert_frame_equal(model.score(take(rows, turned)).table, scores.iloc[turned].reset_index(drop=True))
    assert len(model.score(rows.take(np.zeros(len(rows), dtype=bool))).table) == 0
    model.save(tmp_path)
    again = load_peer(peer.rule, tmp_path, rows.task)
    pd.testing.assert_frame_equal(again.score(rows).table, scores)
    assert peer.rule.source


@pytest.mark.parametrize(("task", "name"), [pair for pair in EVERY if pair[0] not in (*LISTED, "value")])
def test_a_peer_tells_probabilities(task: str, name: str) -> None:
    score = peers_of(task_of(task))[name].fit(training(task)).score(example(task, seed=3).rows).table["score"]

    assert ((score >= 0) & (score <= 1)).all()


@pytest.mark.parametrize("name", [rule.name for rule in PEERS["value"]])
def test_value_peers_tell_amounts_and_everybodys_share_of_margin(name: str) -> None:
    table = peers_of(task_of("value"))[name].fit(training("value")).score(example("value", seed=4).rows).table

    assert (table[["score", "purchases"]] >= 0).all(axis=None)
    assert table["margin"].to_numpy() == pytest.approx(0.25 * table["score"])


def test_a_members_pace_goes_on_over_the_horizon() -> None:
    rows = example("value", seed=5).rows
    rows.values.loc[0, ["money", "money_90d", "days_since_first_purchase"]] = [300.0, 60.0, 300.0]
    rows.values.loc[1, ["money", "money_90d", "days_since_first_purchase"]] = [30.0, 30.0, 3.0]

    ever, lately = (
        peers_of(rows.task)[name].fit(training("value")).score(rows).table["score"]
        for name in ("own_mean", "own_mean_90d")
    )

    assert (ever[0], lately[0]) == (pytest.approx(90), pytest.approx(60))
    assert ever[1] == lately[1] == pytest.approx(30 * 90 / 28)  # known for 3 days, taken as 28


@pytest.mark.parametrize("name", [rule.name for rule in PEERS["repurchase"]])
def test_repurchase_peers_agree_with_themselves(name: str) -> None:
    table = (
        peers_of(task_of("repurchase"))[name]
        .fit(training("repurchase"))
        .score(example("repurchase", seed=4).rows)
        .table
    )

    assert (table["score"] == table["p14"]).all()
    assert (table["p7"] <= table["p14"] + 2e-4).all()  # up to the nudge that keeps ties apart
    assert (table["p14"] <= table["p28"] + 2e-4).all()
    assert (table["low_days"] <= table["median_days"]).all()
    assert (table["median_days"] <= table["high_days"]).all()


def test_rules_are_calibrated_and_keep_their_order() -> None:
    training_set = training("churn")
    rows = training_set.examples[0].rows
    score = peers_of(task_of("churn"))["recency"].fit(training_set).score(rows).table["score"]
    recency = rows.values["days_since_purchase"]

    assert score.rank().equals(recency.rank())
    every = np.concatenate(
        [
            peers_of(task_of("churn"))["recency"].fit(training_set).score(e.rows).table["score"]
            for e in training_set.examples
        ]
    )
    assert every.mean() == pytest.approx(training_set.y["y"].mean(), abs=1e-3)


def test_gp_topfreq_never_puts_a_strange_product_before_an_own_one() -> None:
    rows = example("recommend", seed=2).rows
    peers = peers_of(rows.task)
    own = rows.values["own_product_purchase_days"].to_numpy()
    score = peers["gp_topfreq"].fit(training("recommend")).score(rows).table["score"].to_numpy()

    for i, j in np.random.default_rng(0).integers(0, len(rows), (500, 2)):
        if own[i] != own[j]:
            assert (score[i] > score[j]) == (own[i] > own[j])
        else:
            popular = rows.values["product_purchase_days_28d"].to_numpy()
            assert (score[i] > score[j]) == (popular[i] > popular[j])


def test_poisson_gamma_finds_simulated_rates_and_their_chances() -> None:
    rng = np.random.default_rng(0)
    rates, time = rng.gamma(2.0, 1 / 60, 4000), rng.uniform(20, 300, 4000)
    bought = rng.poisson(rates * time).astype(float)

    shape, rate = fit_gamma(bought, time)

    assert (shape, rate) == pytest.approx((2.0, 60.0), rel=0.1)
    posterior = 1 - ((rate + time) / (rate + time + 14)) ** (shape + bought)
    assert posterior.mean() == pytest.approx((rng.poisson(rates * 14) > 0).mean(), abs=0.02)
    few = bought == 1
    assert posterior[few].mean() == pytest.approx((1 - np.exp(-rates * 14))[few].mean(), abs=0.02)


def test_a_missing_feature_is_named() -> None:
    rows = example("churn").rows
    bare = replace(rows, values=rows.values.drop(columns="days_since_purchase"))
    model = peers_of(rows.task)["recency"].fit(training("churn"))

    with pytest.raises(MissingError, match="days_since_purchase"):
        model.score(bare)


def test_a_record_of_another_peer_is_refused(tmp_path: Path) -> None:
    peers = peers_of(task_of("churn"))
    peers["recency"].fit(training("churn")).save(tmp_path)

    with pytest.raises(ArtifactError):
        load_peer(peers["bg_nbd"].rule, tmp_path, task_of("churn"))


@pytest.mark.parametrize("task", sorted(PEERS))
def test_the_simplest_peer_is_one_of_all(task: str) -> None:
    (name,) = simplest(task_of(task))

    assert name in peers_of(task_of(task))
    assert len({rule.name for rule in PEERS[task]}) == len(PEERS[task])


def test_an_unknown_task_has_no_peers() -> None:
    with pytest.raises(ConfigError, match="weather"):
        peers_of(replace(task_of("churn"), name="weather"))


def test_a_backtest_fits_before_and_scores_at_the_test_cutoff() -> None:
    folds = tuple(
        Fold((FIRST.plus(days=28 * n - 56), FIRST.plus(days=28 * n - 28)), FIRST.plus(days=28 * n)) for n in (0, 1)
    )
    asked: list[AsOf] = []
    steps: list[tuple[int, int, str]] = []

    def build(as_of: AsOf) -> Example:
        asked.append(as_of)
        return example("churn", as_of)

    peers = {name: peer for name, peer in peers_of(task_of("churn")).items() if name != "bg_nbd"}
    found = backtest(peers, folds, build, lambda *step: steps.append(step), carry=("mean_gap", "not_there"))

    assert asked == [day for fold in folds for day in (*fold.trains, fold.test)]
    assert found.names == tuple(peers)
    assert list(found.folds[0].rows) == ["member_id", "y", "mean_gap"]
    assert [step[0] for step in steps] == list(range(13))
    assert {step[1] for step in steps} == {12}
    direct = peers["recency"].fit(TrainingSet(tuple(example("churn", day) for day in folds[1].trains)))
    expected = direct.score(example("churn", folds[1].test).rows).table["score"]
    assert found.folds[1].results["recency"].scores["score"].equals(expected)


def test_a_backtest_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="trainers"):
        backtest({}, (), lambda as_of: example("churn", as_of), lambda *_: None)
