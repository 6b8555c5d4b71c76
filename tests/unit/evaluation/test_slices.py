from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.evaluation.backtest import Backtest
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import LISTED, metric_of
from recsys.evaluation.slices import OTHERS, UNKNOWN, Cut, carried, cuts_of, parts_of, slices
from recsys.features.catalog import features_of
from recsys.models.catalog import CATALOG
from tests.unit.evaluation.made import churn_backtest, fold_of, pairs, task_of

TENURE = Cut("tenure", "days")


def numbers(*columns: list[float], cut: Cut = TENURE) -> tuple[tuple[str, ...], list[list[int]]]:
    labels, codes = parts_of([pd.Series(column, dtype=float) for column in columns], cut)
    return labels, [code.tolist() for code in codes]


def test_numbers_are_parted_at_the_quarters_of_all_cutoffs() -> None:
    labels, (first, second) = numbers([1, 2, 3, 4], [5, 6, 7, 8])

    assert labels == ("≤ 2.75", "> 2.75, ≤ 4.5", "> 4.5, ≤ 6.25", "> 6.25", UNKNOWN)
    assert (first, second) == ([0, 0, 1, 1], [2, 2, 3, 3])


def test_equal_numbers_are_never_parted_and_the_unknown_stand_apart() -> None:
    labels, (codes,) = numbers([0, 0, 0, 0, 0, 9, np.nan])

    assert labels == ("≤ 0", "> 0", UNKNOWN)
    assert codes == [0, 0, 0, 0, 0, 1, 2]
    assert numbers([5, 5, 5])[0] == ("all", UNKNOWN)
    assert numbers([np.nan])[1] == [[1]]


def test_an_edge_belongs_to_the_part_below_it() -> None:
    cold = Cut("cold or warm", "days", (2,), ("cold", "warm"))

    assert numbers([1, 2, 3, 2.5], cut=cold) == (("cold", "warm", UNKNOWN), [[0, 0, 1, 1]])


def test_text_is_parted_by_its_commonest_values() -> None:
    names = [f"c{n}" for n in range(10) for _ in range(10 - n)]
    labels, (codes,) = parts_of([pd.Series([*names, None, None])], Cut("category", "category"))

    assert labels == (*(f"c{n}" for n in range(8)), OTHERS, UNKNOWN)
    assert np.bincount(codes).tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2 + 1, 2]


def tenured(noise: dict[str, float]) -> Backtest:
    """A churn back-test whose members have a tenure: the model is blind to what happens to new members."""
    test, folds = churn_backtest(noise, members=600), []
    for fold in test.folds:
        tenure = np.arange(600) % 100.0
        results = dict(fold.results)
        blind = results["model"].scores.where(tenure[:, None] >= 50, 0.5)
        results["model"] = replace(results["model"], scores=blind)
        rows = fold.rows.assign(days_since_first_purchase=tenure, main_category=pd.Series(["奶粉", None] * 300))
        folds.append(replace(fold, rows=rows, results=results))
    return replace(test, folds=tuple(folds))


def test_a_weakness_on_some_rows_is_found_there() -> None:
    test = tenured({"model": 0.1, "peer": 1.0})

    found = {(one.cut.split(":")[0], one.part): one for one in slices(test, "model", "peer", resamples=60)}

    parts = [part for cut, part in found if cut == "tenure"]
    assert [found["tenure", part].verdict for part in parts][:3] == ["worse", "worse", "beats"]
    assert found["tenure", parts[0]].model == 0.5
    assert {part for cut, part in found if cut == "main category"} == {"奶粉", UNKNOWN}
    assert sum(one.rows for (cut, _), one in found.items() if cut == "tenure") == 1200
    assert not [cut for cut, _ in found if cut == "activity"]  # nothing was carried for it


def test_a_part_is_judged_as_if_there_were_nothing_else() -> None:
    test = tenured({"model": 0.1, "peer": 1.0})
    (first, *_) = slices(test, "model", "peer", resamples=30)
    alone = replace(
        test,
        folds=tuple(
            fold_of(
                {name: fold.rows[mask][name].to_numpy() for name in ("member_id", "y")},
                {"peer": {"score": fold.results["peer"].scores["score"].to_numpy()[mask]}},
                number=number,
            )
            for number, fold in enumerate(test.folds)
            for mask in [fold.rows["days_since_first_purchase"].to_numpy() <= 24.75]
        ),
    )

    assert first.theirs == metric_of("churn", "auc").value(judge(alone)["peer"])


def test_without_a_peer_the_model_stands_alone() -> None:
    (first, *_) = slices(tenured({"model": 0.1, "peer": 1.0}), "model", "")

    assert (first.peer, first.verdict) == ("", "no difference")
    assert np.isnan(first.theirs)
    assert np.isnan(first.difference.low)


def test_lists_are_parted_by_members_and_judged_whole() -> None:
    rows, truth = pairs(3, members=40)
    old = {member: float(number % 2) * 100 for number, member in enumerate(rows["member_id"].unique())}
    rows["days_since_first_purchase"] = rows["member_id"].map(old)
    told = {str(name): rows[name].to_numpy() for name in rows}
    scores = {name: {"score": told[name], "discovery": told["discovery"]} for name in ("score", "discovery")}
    fold = fold_of(
        {name: column for name, column in told.items() if name not in scores},
        scores,
        truth={str(name): truth[name].to_numpy() for name in truth},
    )
    test = Backtest(task_of("recommend"), (fold,))

    parts = slices(test, "score", "discovery", resamples=30)

    assert sum(part.rows for part in parts) == len(rows)
    metric = metric_of("recommend", test.task.metric)
    bought = set(truth.loc[truth["next"], "member_id"]) & set(rows["member_id"])
    sizes = [sum(old[member] == age for member in bought) for age in (0.0, 100.0)]
    whole = metric.value(judge(test)["score"])
    assert np.average([part.model for part in parts], weights=sizes) == pytest.approx(whole)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_task_is_parted_by_what_its_rows_have(name: str) -> None:
    task = task_of(name)
    known = {spec.name for view in task.views for spec in features_of(view)} | set(task.keys)
    columns = {cut.column for cut in cuts_of(task)} & known

    assert {"days_since_first_purchase", "purchase_days_90d", "purchase_days", "main_category"} <= columns
    if name in ("repurchase", "new_product"):
        assert {"category", "product_category"} & columns
    if name in LISTED:
        assert not {"category", "product_category"} & columns
    assert not set(carried(task)) & set(task.keys)
