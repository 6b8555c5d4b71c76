"""A small synthetic content to publish in tests: 40 members, 60 products in 6 categories."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import CHALLENGER, Content, Factors
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue
from recsys.artifacts.tagging.write import Tagged
from recsys.core.time import AsOf

AS_OF = AsOf(date(2025, 3, 31), "Asia/Shanghai")
MEMBERS, PRODUCTS, CATEGORIES = 40, 60, 6


@dataclass(frozen=True)
class Made(Content):
    """A content all of whose tables are frames."""

    members: pd.DataFrame
    price_bands: pd.DataFrame
    recommend: pd.DataFrame
    discovery: pd.DataFrame
    bought: pd.DataFrame
    repurchase: pd.DataFrame
    churn: pd.DataFrame
    value: pd.DataFrame
    new_product: pd.DataFrame
    purchases: pd.DataFrame
    events: pd.DataFrame
    contacts: pd.DataFrame

    def table(self, frame: str) -> pd.DataFrame:
        """Return one of its frames by name, the challenger's too."""
        found = self.frames[frame]
        assert isinstance(found, pd.DataFrame)
        return found

    def having(self, frame: str, table: pd.DataFrame) -> "Made":
        """Put another frame in the place of one."""
        if frame not in CHALLENGER:
            own: dict[str, Any] = {frame: table}
            return replace(self, **own)
        assert self.challenger is not None
        theirs: dict[str, Any] = {dict(zip(CHALLENGER, ("recommend", "discovery"), strict=True))[frame]: table}
        return replace(self, challenger=replace(self.challenger, **theirs))


def product_id(n: int) -> str:
    return f"p{n:03d}"


def member_id(n: int) -> str:
    return f"会员{n:03d}"


def category(n: int) -> str:
    return f"category {n % CATEGORIES}"


def content(*, seed: int = 0, version: str = "1") -> Made:
    """Product n is in category n % 6 and the n+1-th most popular.

    p006 is out of stock, p007 was delisted on as_of, p008 launches a day later, p009 does not run out and was bought by
    everybody 5 days ago, p010's stock is unknown. The last member opted out; the one before is known but has no lists.
    Of the tags, tenure_days is 10 * n, the city 北京 of members 0 to 9 and 上海 of the others, member 5's unknown. The
    lifecycle is new, loyal, lost in turn; that of member 5 is none.
    The children of members 10 to 19 outgrow category 0 on as_of, for category 1, and that 12 days later, for another.
    """
    random = np.random.default_rng(seed)
    listed = [member_id(n) for n in range(MEMBERS - 2)]
    return Made(
        as_of=AS_OF,
        tables_digest=f"digest-{seed}",
        model_versions=dict.fromkeys(("churn", "value", "repurchase", "new_product", "recommend"), version),
        horizons={"churn": 28, "value": 90, "repurchase": 56, "new_product": 28, "recommend": 28},
        members=_members(random),
        products=_products(),
        price_bands=pd.DataFrame({"member_id": listed[5:], "low": 0.9, "high": 1.6}),
        recommend=_recommend(random, listed),
        discovery=_discovery(random, listed),
        bought=pd.DataFrame({"member_id": listed, "product_id": product_id(9), "days_since": 5.0}),
        repurchase=_repurchase(random, listed),
        churn=_churn(listed),
        value=_value(listed),
        new_product=_new_product(random, listed),
        neighbours=_neighbours(),
        purchases=_purchases(np.random.default_rng(seed), listed),
        events=_events(np.random.default_rng(seed), listed),
        contacts=_contacts(listed),
        factors=Factors(
            np.array(listed),
            np.array([product_id(n) for n in range(PRODUCTS - 5)]),
            random.normal(size=(len(listed), 4)),
            random.normal(size=(PRODUCTS - 5, 4)),
        ),
        opted_out=(member_id(MEMBERS - 1),),
        tagged=_tagged(),
    )


def _tagged() -> Tagged:
    ids = [member_id(n) for n in range(MEMBERS)]
    stages = [("new", "新客", "new"), ("loyal", "忠诚", "loyal"), ("lost", "流失", "lost")]
    values = tuple(SegmentValue(*stage) for stage in stages)
    lifecycle = SegmentSpec(
        "lifecycle", "生命周期", "lifecycle", "购买关系的阶段", "the stage", values, {}, AS_OF.number
    )
    segments = pd.DataFrame({"member_id": ids, "lifecycle": [stages[n % 3][0] for n in range(MEMBERS)]})
    segments.loc[5, "lifecycle"] = None
    tenure = np.arange(MEMBERS) * 10.0
    return Tagged(pd.DataFrame({"member_id": ids, "tenure_days": tenure}), segments, (lifecycle,))


def _members(random: np.random.Generator) -> pd.DataFrame:
    ids = [member_id(n) for n in range(MEMBERS)]
    tags = [["regular", "high_value"] if n % 2 else None for n in range(MEMBERS)]
    money = random.gamma(2, 50, MEMBERS)
    money[3] = np.nan
    tier = ["gold" if n % 3 else None for n in range(MEMBERS)]
    city = [None if n == 5 else "北京" if n < 10 else "上海" for n in range(MEMBERS)]
    return pd.DataFrame(
        {
            "member_id": ids,
            "money_90": money,
            "orders_90": np.arange(MEMBERS),
            "tier": tier,
            "city": city,
            "tags": tags,
            "attributes": [{"survey": "sleep"} if n == 4 else None for n in range(MEMBERS)],
        }
    )


def _products() -> pd.DataFrame:
    n = np.arange(PRODUCTS)
    frame = pd.DataFrame(
        {
            "product_id": [product_id(i) for i in range(PRODUCTS)],
            "name": [f"product {i}" for i in n],
            "category": [category(i) for i in range(PRODUCTS)],
            "subcategory": None,
            "brand": [f"brand {i % 4}" for i in n],
            "price": n + 0.5,
            "price_level": (n % 5 + 1) / 2,
            "consumable": 1.0,
            "stock": 10.0,
            "launched_day": np.nan,
            "delisted_day": np.nan,
            "buyers_28": PRODUCTS - n,
            "buyers_90": 2 * (PRODUCTS - n),
            "popularity": n + 1,
        }
    )
    frame.loc[6, "stock"] = 0
    frame.loc[7, "delisted_day"] = AS_OF.number
    frame.loc[8, "launched_day"] = AS_OF.number + 1
    frame.loc[10, "stock"] = np.nan
    frame.loc[9, "consumable"] = 0
    frame.loc[11, ["consumable", "price_level"]] = np.nan
    return frame


def _recommend(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    """Products 5..44 for everybody, the even ones bought before."""
    rows = []
    for member in members:
        for n in range(5, 45):
            bought = n % 2 == 0 or n == 9
            days_since = 5.0 if n == 9 else float(random.integers(1, 60))
            reason = ("due" if n % 4 == 0 else "again") if bought else "for_you"
            purchase_days = 2 if reason == "due" else int(bought)
            gap = 14.0 if reason == "due" else np.nan
            rows.append(
                (member, product_id(n), random.normal(), reason, purchase_days, days_since if bought else np.nan, gap)
            )
    columns = ["member_id", "product_id", "score", "reason", "purchase_days", "days_since", "mean_gap"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)


def _discovery(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    """Products 45..54 for everybody, with every reason that a discovery can have."""
    pairs = [
        (member, product_id(n), ("in_category", "for_you", "popular")[n % 3])
        for member in members
        for n in range(45, 55)
    ]
    return pd.DataFrame(pairs, columns=["member_id", "product_id", "reason"]).assign(
        score=random.uniform(size=len(pairs))
    )


def _repurchase(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    pairs = [(member, category(n)) for member in members for n in range(CATEGORIES)]
    frame = pd.DataFrame(pairs, columns=["member_id", "category"])
    p7, p14, p28 = np.sort(random.uniform(size=(3, len(frame))), axis=0)
    frame = frame.assign(score=p14, p7=p7, p14=p14, p28=p28, median_days=10.0, low_days=2.0, high_days=30.0)
    frame.loc[p28 < 0.5, ["median_days", "high_days"]] = np.nan
    frame = frame.assign(need_ends_day=np.nan, next_category=None)
    ends = {0: AS_OF.number, 1: AS_OF.number + 12}
    for n, day in ends.items():
        own = frame["category"].eq(category(n)) & frame["member_id"].isin(members[10:20])
        frame.loc[own, "need_ends_day"] = day
        frame.loc[own, "next_category"] = category(n + 1) if n == 0 else "category to come"
    return frame


def _churn(members: list[str]) -> pd.DataFrame:
    """Scores evenly from 0 to 1; for the first member no reason is known."""
    why = [["recency", "spend"] if n else [] for n in range(len(members))]
    shares = [[0.5, 0.25] if n else [] for n in range(len(members))]
    score = np.linspace(0, 1, len(members))
    return pd.DataFrame({"member_id": members, "score": score, "why": why, "why_share": shares})


def _value(members: list[str]) -> pd.DataFrame:
    money = np.arange(len(members)) * 10.0
    return pd.DataFrame({"member_id": members, "score": money, "purchases": money / 50, "margin": money / 4 - 5})


def _new_product(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    pairs = [(member, product_id(n)) for member in members for n in (8, 50, 51, 52)]
    return pd.DataFrame(pairs, columns=["member_id", "product_id"]).assign(score=random.uniform(size=len(pairs)))


def _purchases(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    """Member n bought product n % 10 on the n days before as_of, and p009 5 days ago."""
    rows = [(AS_OF.number - ago, member, product_id(n % 10)) for n, member in enumerate(members) for ago in range(1, n)]
    rows += [(AS_OF.number - 5, member, product_id(9)) for n, member in enumerate(members) if n % 10 != 9 or n <= 5]
    frame = pd.DataFrame(rows, columns=["day", "member_id", "product_id"])
    return frame.assign(quantity=1.0, amount=random.gamma(2, 10, len(frame)).round(2), hour=20)


def _events(random: np.random.Generator, members: list[str]) -> pd.DataFrame:
    """Every fourth member viewed products 0, 1 and 2 three days ago; those after them searched two days later."""
    viewed: list[tuple[object, ...]] = [
        (AS_OF.number - 3, member, "view", product_id(n)) for member in members[::4] for n in range(3)
    ]
    searched: list[tuple[object, ...]] = [(AS_OF.number - 1, member, "search", None) for member in members[1::4]]
    frame = pd.DataFrame(viewed + searched, columns=["day", "member_id", "type", "product_id"])
    return frame.assign(hour=random.integers(0, 24, len(frame)))


def _contacts(members: list[str]) -> pd.DataFrame:
    """The first ten members were written to a week ago, the next ten half a year ago by another channel."""
    told: list[tuple[object, ...]] = [(AS_OF.number - 7, member, "春季", "短信", "图文") for member in members[:10]]
    told += [(AS_OF.number - 180, member, "秋季", "企业微信", None) for member in members[10:20]]
    return pd.DataFrame(told, columns=["day", "member_id", "campaign_id", "channel", "content_format"])


def _neighbours() -> pd.DataFrame:
    """Similar to n: the next three of its category; together with n: n + 1 and n + 2; the last ten have none."""
    rows = []
    for n in range(PRODUCTS - 10):
        rows += [(product_id(n), product_id((n + CATEGORIES * r) % PRODUCTS), 1 / r, "similar", r) for r in (1, 2, 3)]
        rows += [(product_id(n), product_id(n + r), 1 / r, "together", r) for r in (1, 2)]
    return pd.DataFrame(rows, columns=["product_id", "neighbour_id", "score", "kind", "rank"])
