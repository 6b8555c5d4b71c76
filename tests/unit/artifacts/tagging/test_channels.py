"""By which channel members are best contacted, on members of whom it is known."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.tagging.channels import best_channel
from recsys.artifacts.tagging.settings import ContactChannels
from recsys.core.time import AsOf
from tests.shop import START, at, store

DAY = 400
AS_OF = AsOf(START, "Asia/Shanghai").plus(days=DAY)
CHANNELS = ("短信", "企业微信", "公众号")
MEMBERS, ROUNDS = 400, 9
READY, ELSE = 0.6, 0.15
"""How often a member answers on the channel that suits best, and on the others."""
SETTINGS = ContactChannels(sources={"抖音": "企业微信"}, held_out=("对照",))


def told(
    root: Path,
    contacts: pd.DataFrame,
    bought: pd.DataFrame,
    sources: Mapping[str, str | None],
    settings: ContactChannels = SETTINGS,
) -> "pd.Series[str]":
    """Return each member's best channel. contacts: member_id, day, channel, arm. bought: member_id, day."""
    orders = pd.DataFrame(
        {
            "order_id": [str(n) for n in range(len(bought) + 1)],
            "member_id": [*bought["member_id"], "nobody"],
            "product_id": "p",
            "ordered_at": [at(day) for day in (*bought["day"], 0)],
            "quantity": 1.0,
            "amount": 1.0,
        }
    )
    sent = contacts.assign(
        campaign_id=[f"c{n}" for n in range(len(contacts))], sent_at=[at(day) for day in contacts["day"]]
    )
    tables = store(root, {"orders": orders} | ({"contacts": sent.drop(columns=["day"])} if len(sent) else {}))
    members = pd.DataFrame({"member_id": list(sources), "source_channel": list(sources.values())})
    with tables.at(AS_OF).connect() as connection:
        frame = best_channel(connection, AS_OF.number, settings, members)
    return frame.set_index("member_id")["liked_channel"]


def no_contacts() -> pd.DataFrame:
    return pd.DataFrame({"member_id": [], "day": [], "channel": [], "arm": []})


def purchases(contacts: pd.DataFrame, answered: "np.ndarray") -> pd.DataFrame:
    """One purchase two days after each contact that was answered."""
    return contacts.loc[answered, ["member_id", "day"]].assign(day=lambda frame: frame["day"] + 2)


@pytest.fixture(scope="module")
def true_best() -> "pd.Series[str]":
    """The best channel of each member; that of seven in ten is the same."""
    drawn = np.random.default_rng(3).choice(CHANNELS, MEMBERS, p=[0.7, 0.2, 0.1])
    return pd.Series(drawn, index=[f"会员{n:03d}" for n in range(MEMBERS)])


def drawn_contacts(true_best: "pd.Series[str]", rounds: int) -> tuple[pd.DataFrame, "np.ndarray"]:
    """Contacts ten days apart by channels drawn anew, and which were answered."""
    rng = np.random.default_rng(5)
    contacts = pd.DataFrame(
        {
            "member_id": np.repeat(true_best.index.to_numpy(), rounds),
            "day": np.tile(60 + 10 * np.arange(rounds), len(true_best)),
            "channel": rng.choice(CHANNELS, len(true_best) * rounds),
            "arm": "触达",
        }
    )
    suits = contacts["channel"].to_numpy() == true_best[contacts["member_id"]].to_numpy()
    return contacts, rng.random(len(contacts)) < np.where(suits, READY, ELSE)


def raw_best(contacts: pd.DataFrame, answered: "np.ndarray") -> "pd.Series[str]":
    """The channel of the highest share of answers, as counted."""
    share = contacts.assign(answered=answered).groupby(["member_id", "channel"])["answered"].mean().unstack()
    return share.idxmax(axis=1).astype(str)


@pytest.mark.parametrize(("rounds", "least"), [(3, 0.7), (ROUNDS, 0.8)])
def test_the_true_best_channel_is_found_more_often_than_by_plain_shares_of_answers(
    tmp_path: Path, true_best: "pd.Series[str]", rounds: int, least: float
) -> None:
    contacts, answered = drawn_contacts(true_best, rounds)
    found = told(tmp_path, contacts, purchases(contacts, answered), dict.fromkeys(true_best.index))
    known = found.dropna()
    right = (known == true_best[known.index]).mean()
    plain = (raw_best(contacts, answered)[known.index] == true_best[known.index]).mean()
    most = (true_best == true_best.mode()[0]).mean()
    assert len(known) > 0.85 * MEMBERS
    assert right > plain
    assert right > most
    assert right > least


def test_who_was_not_contacted_is_taken_for_the_source_and_then_for_all(
    tmp_path: Path, true_best: "pd.Series[str]"
) -> None:
    contacts, answered = drawn_contacts(true_best, ROUNDS)
    sources: dict[str, str | None] = {str(who): f"won by {best}" for who, best in true_best.items()}
    strangers = {f"new, {name}": name for name in (*{*sources.values()}, None)}
    found = told(tmp_path, contacts, purchases(contacts, answered), {**sources, **strangers})
    for name in CHANNELS:
        assert found[f"new, won by {name}"] == name
    assert found["new, None"] == CHANNELS[0], "most members answer there"


def test_a_source_says_by_the_settings_or_by_its_name_where_its_members_answer_sooner(tmp_path: Path) -> None:
    contacts = pd.DataFrame(
        {"member_id": "x", "day": [100, 120, 140], "channel": CHANNELS, "arm": "触达"},
    )
    sources = {"a": "抖音", "b": "公众号", "c": "门店", "d": None}
    found = told(tmp_path, contacts, no_contacts(), sources)
    assert found.to_dict() == {"a": "企业微信", "b": "公众号", "c": None, "d": None}


def test_without_contacts_the_settings_alone_tell(tmp_path: Path) -> None:
    found = told(tmp_path, no_contacts(), no_contacts(), {"a": "抖音", "b": "公众号"})
    assert found["a"] == "企业微信"
    assert told(tmp_path / "none", no_contacts(), no_contacts(), {"a": "抖音"}, ContactChannels())["a"] is None


def test_a_channel_that_seems_closed_to_the_member_does_not_come_into_question(tmp_path: Path) -> None:
    often = pd.DataFrame({"member_id": "x", "day": range(20, 380, 10), "channel": "短信", "arm": "触达"})
    own = [
        pd.DataFrame({"member_id": who, "day": range(100, 100 + 10 * n, 10), "channel": "公众号", "arm": "触达"})
        for who, n in (("rarely", 2), ("elsewhere only", 8))
    ]
    contacts = pd.concat([often, *own], ignore_index=True)
    answered = (contacts["member_id"] == "x").to_numpy()
    found = told(tmp_path, contacts, purchases(contacts, answered), dict.fromkeys(("x", "rarely", "elsewhere only")))
    assert found.to_dict() == {"x": "短信", "rarely": "短信", "elsewhere only": "公众号"}


def test_the_held_out_were_sent_nothing(tmp_path: Path) -> None:
    contacts = pd.DataFrame(
        {
            "member_id": ["a"] * 12,
            "day": range(20, 260, 20),
            "channel": ["短信", "公众号"] * 6,
            "arm": ["对照", "触达"] * 6,
        }
    )
    answered = (contacts["channel"] == "短信").to_numpy()
    found = told(tmp_path, contacts, purchases(contacts, answered), {"a": None})
    assert found["a"] == "公众号", "what was bought without being contacted speaks for no channel"
