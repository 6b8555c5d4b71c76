"""Members whose needs end on known days: formula of three stages, bought every 20 days until a child outgrows it."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from recsys.answers.members import CardSettings, member_card
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_source import frame_query
from recsys.artifacts.publication_write import write_publication
from recsys.core.frames import Example, Rows, TrainingSet
from recsys.features.build import build_snapshot, read_rows
from recsys.features.life_stage import needs
from recsys.labels.outcomes import label
from recsys.models.boosted import BoosterConfig
from recsys.models.repurchase import LIFE_STAGE, TASK, RepurchaseConfig, RepurchaseModel, RepurchaseTrainer
from tests.publications import content
from tests.shop import START, at, store
from training.content import with_needs

MEMBERS, DAYS, TEST = 420, 330, 270
TRAINS = (186, 214, 242)
STAGES = (("一段", 0, 6, "二段"), ("二段", 6, 12, "三段"), ("三段", 12, 36, None))
CONFIG = RepurchaseConfig(
    booster=BoosterConfig(rounds=80, leaves=7, min_leaf=20, learning_rate=0.1, threads=1), features=200
)


def months_on(born: date, months: int) -> date:
    year, month = divmod(born.year * 12 + born.month - 1 + months, 12)
    return date(year, month + 1, min(born.day, monthrange(year, month + 1)[1]))


def bought(rng: np.random.Generator, born: date) -> Iterator[tuple[int, str]]:
    """Yield a member's days and what is bought on them: formula of the stage, and bread, which no child outgrows."""
    for category, first, last, _ in STAGES:
        start, end = ((months_on(born, months) - START).days for months in (first, last))
        day = max(start, 0) + rng.uniform(0, 20)
        while day < min(end, DAYS):
            yield int(day), category
            day += rng.gamma(16, 20 / 16)
    day = rng.uniform(0, 30)
    while day < DAYS:
        yield int(day), "面包"
        day += rng.gamma(2, 10)


@dataclass(frozen=True)
class Made:
    """Children's birthdays by member, labelled rows by day, and the needs known on the test's day."""

    births: dict[str, date]
    examples: dict[int, Example]
    needs: pd.DataFrame


def simulate(root: Path) -> Made:
    rng = np.random.default_rng(11)
    births = {f"m{n:03d}": START - timedelta(days=int(rng.integers(-200, 700))) for n in range(MEMBERS)}
    lines = [(member, day, category) for member, born in births.items() for day, category in bought(rng, born)]
    orders = pd.DataFrame(lines, columns=["member_id", "day", "product_id"]).drop_duplicates()
    orders["ordered_at"] = [at(day) for day in orders["day"]]
    orders = orders.assign(order_id=[f"o{n}" for n in range(len(orders))], quantity=1.0, amount=9.0)
    names = ["面包", *(stage[0] for stage in STAGES)]
    tables = store(
        root,
        {
            "orders": orders.drop(columns="day"),
            "products": pd.DataFrame({"product_id": names, "category": names}),
            "members": pd.DataFrame({"member_id": list(births), "child_birth_date": list(births.values())}),
            "life_stages": pd.DataFrame(STAGES, columns=["category", "from_month", "to_month", "next_category"]),
        },
    )
    examples = {}
    for day in (*TRAINS, TEST):
        snapshot = tables.at(tables.first.plus(days=day))
        rows = read_rows(build_snapshot(snapshot, root / "snapshots"), TASK)
        examples[day] = Example(rows, label(tables, rows))
    return Made(births, examples, needs(tables.at(tables.first.plus(days=TEST))))


def blind(rows: Rows) -> Rows:
    """Forget the stages; the age of the child stays known."""
    specs = tuple(spec for spec in rows.specs if spec.name not in LIFE_STAGE)
    return replace(rows, specs=specs, values=rows.values[[spec.name for spec in specs]])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return simulate(tmp_path_factory.mktemp("outgrown"))


def fit(training: list[Example], test: Example) -> RepurchaseModel:
    known = TrainingSet(tuple(training)).until(test.rows.as_of)
    assert known is not None
    return RepurchaseTrainer(CONFIG).fit(known)


@pytest.fixture(scope="module")
def told(made: Made) -> pd.DataFrame:
    return fit([made.examples[day] for day in TRAINS], made.examples[TEST]).score(made.examples[TEST].rows).table


def test_a_model_that_knows_the_stages_knows_who_is_about_to_stop(made: Made, told: pd.DataFrame) -> None:
    test = made.examples[TEST]
    without = [Example(blind(made.examples[day].rows), made.examples[day].labels) for day in TRAINS]
    guessed = fit(without, test).score(blind(test.rows)).table

    left, since = test.rows.values["stage_days_left"], test.rows.values["stage_days_since_end"]
    days = test.labels.y["days"]
    near = ((left > 0) & (left <= 28)) | ((since > 0) & (since <= 56))
    assert near.sum() > 80
    for span in (14, 28):
        came, column = (days < span)[near], f"p{span}"
        knowing, not_knowing = told.loc[near, column], guessed.loc[near, column]
        brier = [float(((chance - came) ** 2).mean()) for chance in (knowing, not_knowing)]
        auc = [float(roc_auc_score(came, chance)) for chance in (knowing, not_knowing)]
        assert brier[0] < 0.7 * brier[1]
        assert auc[0] > auc[1] + 0.01


def test_after_the_end_of_a_need_hardly_any_chance_is_left(made: Made, told: pd.DataFrame) -> None:
    test = made.examples[TEST]
    since, left = (test.rows.values[name] for name in ("stage_days_since_end", "stage_days_left"))
    over, amid = since > 0, left > 60
    assert min(over.sum(), amid.sum()) > 100
    assert told.loc[over, "p28"].max() < 0.1
    assert told.loc[over, "p28"].mean() < 0.02
    assert told.loc[amid, "p28"].mean() > 0.9
    assert test.labels.y["days"][over].isna().all()
    last_days = (left > 0) & (left <= 5)
    if last_days.any():
        assert told.loc[last_days, "p28"].mean() < 0.6


def test_the_member_card_tells_the_true_end_and_what_follows(made: Made, told: pd.DataFrame, tmp_path: Path) -> None:
    rows = made.examples[TEST].rows
    published = replace(
        content(),
        as_of=rows.as_of,
        members=pd.DataFrame({"member_id": list(made.births)}),
        repurchase=with_needs(frame_query("told", told), made.needs).table().to_pandas(),
    )
    publication = Publication.open(write_publication(tmp_path, published))
    follows = {category: (last, following) for category, _, last, following in STAGES}
    ended = lasting = 0
    for member in rows.keys["member_id"].unique()[:80]:
        card = member_card(publication, member, lambda _id, _since: (None, "no store"), CardSettings())
        assert len(card.next_purchases) == (rows.keys["member_id"] == member).sum()
        for purchase in card.next_purchases:
            born = made.births[member]
            if purchase.category == "面包" or born >= rows.as_of.day:
                assert (purchase.need_ends, purchase.next_category) == (None, None)
                continue
            last, following = follows[purchase.category]
            end = months_on(born, last)
            assert (purchase.need_ends, purchase.next_category) == (str(end), following)
            assert (purchase.median_day is None) == (end <= rows.as_of.day)
            ended, lasting = ended + (end <= rows.as_of.day), lasting + (end > rows.as_of.day)
    assert min(ended, lasting) > 20
