import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.answers.audience.lookalike import LEAST_SEEDS, MOST_SEEDS, PLAN, lookalike
from recsys.answers.audience.offers import offers
from recsys.answers.audience.pick import Picked
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import RequestError
from tests.publications import content

MANY = 1200


def name(n: int) -> str:
    return f"会员{n:04d}"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    """A third of the members spends ten times as much, and visits are known of the others only; the rest is noise."""
    rng = np.random.default_rng(0)
    rich = np.arange(MANY) % 3 == 0
    members = pd.DataFrame(
        {
            "member_id": [name(n) for n in range(MANY)],
            "money": rng.gamma(2, 50, MANY) * np.where(rich, 10, 1),
            "visits": np.where(rich, np.nan, rng.poisson(3, MANY)),
            "luck": rng.normal(size=MANY),
            "constant": 1.0,
        }
    )
    made = dataclasses.replace(content(), members=members, opted_out=(name(3),), tagged=None, factors=None)
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), made))


def rich(*, first: int, last: int) -> list[str]:
    return [name(n) for n in range(first, last, 3)]


def number(publication: Publication, row: int) -> int:
    return int(publication.members.text(row).removeprefix("会员"))


def test_members_like_those_of_the_list_come_first(crowd: Publication) -> None:
    found = lookalike(crowd, rich(first=0, last=600), size=200)
    others = set(range(600, MANY, 3))
    assert np.mean([number(crowd, int(row)) in others for row in found.rows]) > 0.95
    assert (np.diff(found.score) <= 0).all()
    assert ((found.score > 0) & (found.score < 1)).all()
    assert (found.seeds, found.unknown) == (199, 1)  # one of them opted out
    assert found.auc > 0.7
    assert found.auc_low < found.auc < found.auc_high
    assert found.tested == 50
    assert found.traits[0].name in ("money", "visits")


def test_members_of_the_list_are_ranked_only_when_asked_for(crowd: Publication) -> None:
    seeds = rich(first=0, last=600)
    rows = {crowd.members.row(member) for member in seeds}
    assert not rows & set(lookalike(crowd, seeds, size=MANY).rows.tolist())
    every = lookalike(crowd, seeds, size=MANY, with_seeds=True)
    assert len(every.rows) == MANY - 1
    assert rows - {None} <= set(every.rows.tolist())


def test_a_list_drawn_by_chance_is_told_as_one(crowd: Publication) -> None:
    rng = np.random.default_rng(1)
    found = lookalike(crowd, [name(int(n)) for n in rng.choice(MANY, 400, replace=False)], size=10)
    assert 0.4 < found.auc < 0.6


def test_the_same_list_gives_the_same_members_in_whatever_order_it_comes(crowd: Publication) -> None:
    seeds = rich(first=0, last=300)
    first, again = lookalike(crowd, seeds, size=50), lookalike(crowd, [*reversed(seeds), seeds[0]], size=50)
    assert first.rows.tolist() == again.rows.tolist()
    assert first.auc == again.auc


def test_look_alikes_are_offered_something(crowd: Publication) -> None:
    found = lookalike(crowd, rich(first=0, last=600), size=20)
    columns = offers(crowd, PLAN, Picked(found.rows, found.score))
    assert columns["reason"].to_pylist() == ["alike"] * 20
    assert all(columns["products"].to_pylist())


@pytest.mark.parametrize(
    ("members", "size", "field"),
    [
        ([], 10, "members"),
        (["?"] * 100, 10, "members"),
        ([name(n) for n in range(LEAST_SEEDS - 1)], 10, "members"),
        ([name(n) for n in range(MANY)], 10, "members"),
        ([name(n) for n in range(100)], 0, "size"),
        (["a"] * (MOST_SEEDS + 1), 10, "members"),
    ],
)
def test_a_list_too_short_or_too_long_is_refused(crowd: Publication, members: list[str], size: int, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        lookalike(crowd, members, size=size)
    assert caught.value.fields["field"] == field


def test_the_fit_is_that_of_a_plain_logistic_regression(tmp_path: Path) -> None:
    """Newton's method beside scikit-learn on the same design."""
    from sklearn.linear_model import LogisticRegression

    from recsys.answers.audience.lookalike import RIDGE, _newton

    rng = np.random.default_rng(3)
    design = np.hstack([rng.normal(size=(500, 4)), np.ones((500, 1))])
    y = (rng.random(500) < 1 / (1 + np.exp(-design @ np.array([1.0, -2.0, 0.0, 0.5, 0.3])))).astype(float)
    weight = rng.uniform(0.5, 2, 500)
    peer = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=1000).fit(design[:, :-1], y, sample_weight=weight)
    np.testing.assert_allclose(_newton(design, y, weight), [*peer.coef_[0], peer.intercept_[0]], atol=1e-4)
