"""A small invented shop: members with habits, launches, returns, campaigns and events, the same for the same seed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.core.config import Home
from recsys.data.engine import connect, named
from recsys.data.schema import STORED
from recsys.data.tables import Tables
from recsys.data.writer import write_generation

START = date(2024, 1, 1)
LONG_AGO = -10_000
Frames = dict[str, pd.DataFrame]
CATEGORIES = ("牛奶", "面包", "coffee", "Käse", "洗衣液", "shampoo", "fruit", "snacks", "pet food", "尿布")
GAPS = (7, 5, 21, 12, 45, 60, 6, 10, 30, 14)
TIERS = ("bronze", "silver", "金卡")
CITIES = np.array(["上海", "北京", "成都", None])


def make_shop(root: Path, *, members: int = 80, days: int = 240, seed: int = 0, zone: str = "Asia/Shanghai") -> Tables:
    """Store a shop in the home at root; its orders span the mall days [START, START + days)."""
    return store(root, make_frames(members=members, days=days, seed=seed, zone=zone), zone=zone)


def store(root: Path, frames: Mapping[str, pd.DataFrame], *, zone: str = "Asia/Shanghai") -> Tables:
    """Store frames in the home at root; columns that a frame leaves out are null or have their default."""
    with connect() as connection:
        for name, frame in frames.items():
            connection.register("frame", pa.Table.from_pandas(frame, preserve_index=False))
            columns = ", ".join(
                f"CAST(coalesce({named(column.name) if column.name in frame else 'NULL'}, {column.default or 'NULL'}) "
                f"AS {column.type}) AS {column.name}"
                for column in STORED[name].columns
            )
            connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM frame")
            connection.unregister("frame")
        write_generation(Home(root).tables, connection, zone)
    return Tables.open(Home(root).tables)


def at(day: int, hour: float = 12, *, zone: str = "Asia/Shanghai") -> datetime:
    """Return the UTC instant, naive, of a local hour of the shop's n-th day."""
    local = datetime.combine(START + timedelta(days=day), datetime.min.time(), ZoneInfo(zone))
    return (local + timedelta(hours=hour)).astimezone(UTC).replace(tzinfo=None)


def make_frames(*, members: int = 80, days: int = 240, seed: int = 0, zone: str = "Asia/Shanghai") -> Frames:
    """Return the shop's tables as frames, to add to or to spoil before storing them."""
    rng = np.random.default_rng(seed)
    names = [f"会员-{number:04d}" for number in range(members)]
    products = _products(rng, days, zone)
    orders = _orders(rng, names, products, days, zone)
    contacts = _contacts(rng, names, days, zone)
    coupons, redemptions = _coupons(rng, orders, contacts, products)
    return {
        "orders": orders,
        "members": _members(rng, names, days, zone),
        "products": products,
        "events": _events(rng, orders, days),
        "campaigns": pd.DataFrame(
            {
                "campaign_id": ["春节", "summer"],
                "name": ["春节大促", "Summer sale"],
                "kind": ["coupon", "message"],
                "starts_at": [at(days // 6, 0, zone=zone), at(days // 2, 0, zone=zone)],
                "ends_at": [at(days // 6 + 30, 0, zone=zone), at(days // 2 + 30, 0, zone=zone)],
            }
        ),
        "contacts": contacts,
        "coupons": coupons,
        "redemptions": redemptions,
        "life_stages": pd.DataFrame(
            [("尿布", 0, 13, "snacks"), ("snacks", 13, 36, None), ("牛奶", 1, 6, "coffee"), ("牛奶", 9, 12, None)],
            columns=["category", "from_month", "to_month", "next_category"],
        ),
    }


def _products(rng: np.random.Generator, days: int, zone: str) -> pd.DataFrame:
    """Six products a category; six categories launch their last one within the span, a seventh after it."""
    rows: list[dict[str, Any]] = []
    launches = dict(zip(range(6), np.linspace(days * 0.3, days - 12, 6).astype(int), strict=True)) | {6: days + 9}
    for number, category in enumerate(CATEGORIES):
        for rank in range(6):
            launch = launches.get(number) if rank == 5 else None
            rows.append(
                {
                    "product_id": f"商品{number}-{rank}",
                    "name": f"{category} №{rank}",
                    "category": category,
                    "subcategory": f"{category}/{rank % 2}",
                    "brand": f"brand-{(number + rank) % 7}",
                    "price": round(float(rng.uniform(5, 60)), 2),
                    "package_size": f"{(rank + 1) * 100} g",
                    "launched_at": None if launch is None else at(int(launch), 0, zone=zone),
                    "delisted_at": at(days - 20, 0, zone=zone) if (number, rank) == (9, 4) else None,
                    "stock": float(rng.integers(0, 50)),
                    "is_consumable": category != "shampoo",
                }
            )
    rows += [{"product_id": f"loose-{n}", "name": "无分类", "price": 3.0} for n in range(2)]
    frame = pd.DataFrame(rows)
    frame["launched_at"] = pd.to_datetime(frame["launched_at"])
    frame["delisted_at"] = pd.to_datetime(frame["delisted_at"])
    return frame


def _orders(rng: np.random.Generator, names: list[str], products: pd.DataFrame, days: int, zone: str) -> pd.DataFrame:
    """Members keep three to six habits of a category's rhythm; a fifth of them leave; some try what is new."""
    launched = [
        LONG_AGO if pd.isna(time) else (time + pd.Timedelta(hours=12)).date().toordinal() - START.toordinal()
        for time in products["launched_at"]
    ]
    lines: list[tuple[str, int, int]] = []
    for name in names:
        until = int(rng.uniform(0.4, 0.8) * days) if rng.random() < 0.2 else days
        curious = rng.random() < 0.4
        for number in rng.choice(len(CATEGORIES), size=rng.integers(3, 7), replace=False):
            gap = GAPS[number] * rng.uniform(0.7, 1.4)
            favourite = int(rng.integers(0, 4))
            day = float(rng.uniform(0, gap))
            while day < until:
                rank = favourite if rng.random() < 0.75 else int(rng.integers(0, 5))
                new = number * 6 + 5
                if curious and launched[new] <= day and rng.random() < 0.3:
                    rank = 5
                product = number * 6 + rank
                if launched[product] <= day:
                    lines.append((name, int(day), product))
                day += max(1.0, rng.gamma(6.0, gap / 6.0))
        lines += [
            (name, int(day), int(rng.integers(0, 5)) + 6 * int(rng.integers(0, len(CATEGORIES))))
            for day in rng.uniform(0, until, size=3)
        ]
        lines.append((name, int(rng.uniform(0, until)), len(products) - 1 - int(rng.integers(0, 2))))
    lines.append((names[0], days - 1, 0))
    return _lines(rng, lines, products, zone)


def _lines(
    rng: np.random.Generator, lines: list[tuple[str, int, int]], products: pd.DataFrame, zone: str
) -> pd.DataFrame:
    """One order a member and day, at one hour; some lines discounted, some brought back."""
    frame = pd.DataFrame(lines, columns=["member_id", "n", "product"]).drop_duplicates(ignore_index=True)
    visits = frame[["member_id", "n"]].drop_duplicates(ignore_index=True)
    hours = np.clip(rng.normal(14, 4, len(visits)), 0, 23.99)
    visits["ordered_at"] = [
        at(int(n), round(hour * 60) / 60, zone=zone) for n, hour in zip(visits["n"], hours, strict=True)
    ]
    visits["order_id"] = [f"O{number:06d}" for number in range(len(visits))]
    visits["channel"] = rng.choice(["app", "store", "微信"], len(visits))
    visits["store_id"] = rng.choice(np.array(["店1", "店2", None]), len(visits))
    frame = frame.merge(visits, on=["member_id", "n"])
    count = len(frame)
    price = products["price"].to_numpy()[frame["product"]]
    frame["product_id"] = products["product_id"].to_numpy()[frame["product"]]
    frame["quantity"] = rng.integers(1, 4, count).astype(float)
    full = price * frame["quantity"]
    frame["discount"] = np.where(rng.random(count) < 0.25, np.round(full * 0.2, 2), 0.0)
    frame["amount"] = np.round(full - frame["discount"], 2)
    frame["coupon_id"] = pd.Series("券-A", index=frame.index).where((frame["discount"] > 0) & (rng.random(count) < 0.5))
    frame["is_return"] = rng.random(count) < 0.02
    return frame.drop(columns=["n", "product"])


def _members(rng: np.random.Generator, names: list[str], days: int, zone: str) -> pd.DataFrame:
    """One member in twenty has opted out; a third were read at an unknown time; the last one has no row."""
    count = len(names) - 1
    return pd.DataFrame(
        {
            "member_id": names[:-1],
            "registered_at": [at(-int(day), 9, zone=zone) for day in rng.integers(1, 700, count)],
            "birth_date": [
                date(int(year), 5, 17) if known else None
                for year, known in zip(rng.integers(1950, 2005, count), rng.random(count) < 0.7, strict=True)
            ],
            "child_birth_date": [
                date(2023, 1, 31) + timedelta(days=29 * number) if has else None
                for number, has in enumerate(rng.random(count) < 0.2)
            ],
            "gender": rng.choice(np.array(["f", "m", None]), count),
            "city": rng.choice(CITIES, count),
            "source_channel": rng.choice(["app", "store"], count),
            "tier": rng.choice(TIERS, count),
            "points_balance": rng.integers(0, 5000, count).astype(float),
            "consent_personalised": [number % 20 != 7 for number in range(count)],
            "updated_at": [
                at(int(day), 3, zone=zone) if known else pd.NaT
                for day, known in zip(rng.integers(1, days, count), rng.random(count) < 0.67, strict=True)
            ],
        }
    )


def _events(rng: np.random.Generator, orders: pd.DataFrame, days: int) -> pd.DataFrame:
    """Views and carts before a third of the lines, and some anonymous searches."""
    seen = orders[rng.random(len(orders)) < 0.33]
    before = pd.to_timedelta(rng.integers(5, 120, len(seen)), unit="m")
    views = pd.DataFrame(
        {
            "member_id": seen["member_id"],
            "type": rng.choice(["view", "cart", "favourite"], len(seen)),
            "product_id": seen["product_id"],
            "placement": "home",
            "occurred_at": pd.to_datetime(seen["ordered_at"]) - before,
        }
    )
    count = days
    searches = pd.DataFrame(
        {
            "anonymous_id": [f"设备{number % 17}" for number in range(count)],
            "type": "search",
            "query": rng.choice(CATEGORIES, count),
            "occurred_at": [at(number, 20) for number in range(count)],
        }
    )
    frame = pd.concat([views, searches], ignore_index=True)
    frame["event_id"] = [f"e{number}" for number in range(len(frame))]
    return frame


def _contacts(rng: np.random.Generator, names: list[str], days: int, zone: str) -> pd.DataFrame:
    """Two campaigns, each to half of the members, a tenth of those held out."""
    parts = []
    for campaign, day in (("春节", days // 6), ("summer", days // 2)):
        chosen = rng.choice(names, len(names) // 2, replace=False)
        parts.append(
            pd.DataFrame(
                {
                    "campaign_id": campaign,
                    "member_id": chosen,
                    "arm": np.where(rng.random(len(chosen)) < 0.1, "control", "treated"),
                    "channel": "sms",
                    "content_format": "text",
                    "sent_at": at(day, 10, zone=zone),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _coupons(
    rng: np.random.Generator, orders: pd.DataFrame, contacts: pd.DataFrame, products: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One coupon of the first campaign, used in the orders that carry it by the members who got it."""
    coupons = pd.DataFrame(
        {
            "coupon_id": "券-A",
            "campaign_id": "春节",
            "product_id": products["product_id"][rng.random(len(products)) < 0.5],
            "face_value": 5.0,
            "threshold": 20.0,
        }
    )
    first = contacts[contacts["campaign_id"] == "春节"]
    used = orders[(orders["coupon_id"] == "券-A") & orders["member_id"].isin(first["member_id"])]
    used = used[pd.to_datetime(used["ordered_at"]) >= first["sent_at"].iloc[0]].drop_duplicates("order_id")
    redemptions = pd.DataFrame(
        {
            "coupon_id": "券-A",
            "member_id": used["member_id"],
            "campaign_id": "春节",
            "order_id": used["order_id"],
            "redeemed_at": used["ordered_at"],
        }
    )
    return coupons, redemptions
