from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from recsys.artifacts.publication_content import FACT_DAYS
from recsys.core.time import AsOf
from tests.shop import START, at, store
from training.facts import HELD_OUT, facts

DAY = 500
AS_OF = AsOf(START, "Asia/Shanghai").plus(days=DAY)


def line(member: str, product: str, day: int, **more: object) -> dict[str, object]:
    return {
        "order_id": f"{member}-{product}-{day}-{more}",
        "member_id": member,
        "product_id": product,
        "ordered_at": at(day, 12),
        "quantity": 1.0,
        "amount": 10.0,
        "discount": 0.0,
        **more,
    }


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    orders = [
        line("甲", "p", DAY - 1),
        line("甲", "p", DAY - 1, quantity=2.0, amount=19.5, ordered_at=at(DAY - 1, 9)),
        line("甲", "q", DAY - 2, is_return=True),
        line("乙", "q", DAY - FACT_DAYS),
        line("乙", "p", DAY - FACT_DAYS - 1),
        line("乙", "p", DAY),
    ]
    events = [
        {"event_id": "1", "member_id": "甲", "type": "view", "product_id": "p", "occurred_at": at(DAY - 3, 23)},
        {"event_id": "2", "member_id": "丙", "type": "search", "product_id": None, "occurred_at": at(DAY - 3, 0)},
        {"event_id": "3", "anonymous_id": "x", "type": "view", "product_id": "p", "occurred_at": at(DAY - 3)},
        {"event_id": "4", "member_id": "甲", "type": "cart", "product_id": "p", "occurred_at": at(DAY)},
    ]
    arms = [None, "触达", *HELD_OUT, "Control", "HELD_OUT"]
    contacts = [
        {
            "campaign_id": "春",
            "member_id": f"m{n}",
            "arm": arm,
            "channel": "短信",
            "sent_at": at(DAY - 5) + timedelta(seconds=n),
        }
        for n, arm in enumerate(arms)
    ]
    frames = {"orders": pd.DataFrame(orders), "events": pd.DataFrame(events), "contacts": pd.DataFrame(contacts)}
    root: Path = tmp_path_factory.mktemp("home")
    queries = facts(store(root, frames).at(AS_OF))
    return {name: query.table().to_pandas() for name, query in queries.items()}


def rows(frame: pd.DataFrame, *columns: str) -> set[tuple[object, ...]]:
    plain = frame.assign(ago=AS_OF.number - frame["day"])[["ago", *columns]].astype(object)
    return {tuple(None if pd.isna(one) else one for one in row) for row in plain.to_numpy().tolist()}


def test_purchases_of_a_day_are_one_row_a_product_and_returns_are_none(known: dict[str, pd.DataFrame]) -> None:
    assert rows(known["purchases"], "member_id", "product_id", "quantity", "amount", "hour") == {
        (1, "甲", "p", 3.0, 29.5, 9),
        (FACT_DAYS, "乙", "q", 1.0, 10.0, 12),
    }


def test_events_of_members_keep_the_malls_day_and_hour(known: dict[str, pd.DataFrame]) -> None:
    assert rows(known["events"], "member_id", "type", "product_id", "hour") == {
        (3, "甲", "view", "p", 23),
        (3, "丙", "search", None, 0),
    }


def test_who_was_held_out_was_not_contacted(known: dict[str, pd.DataFrame]) -> None:
    assert rows(known["contacts"], "member_id", "campaign_id", "channel", "content_format") == {
        (5, "m0", "春", "短信", None),
        (5, "m1", "春", "短信", None),
    }
