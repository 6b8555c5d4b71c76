"""A shop of values that engines like to disagree on: rare letters, halves, nulls, ties, old days, ends of months."""

from datetime import date, timedelta

import pandas as pd

from tests.shop import START, Frames, at, make_frames

ZONE = "Europe/Berlin"
DAYS = 120
LONG_AGO = at(-21_000, 12, zone=ZONE) + timedelta(microseconds=1)
MEMBERS = ("Zoë", "zoe", "ZOE", "e\u0301", "é", " blank ", "a'b\"c\\d", "%_{}", "～wide", "𠮷野", "会员-0003 ")
PRODUCTS = ("ÄÖ", "äö", "商品'0", "～tea", "𠮷-tea", "tab\there", "Ghost", "ghost")
AMOUNTS = (0.0, 0.00005, 0.00015, 1e-9, 12345678.99, 0.1 + 0.2, 2.675, 1 / 3)
QUANTITIES = (0.0005, 0.0015, 1e6, 0.1 + 0.7, 1.0, 2.5, 1 / 3, 1.0)
BORN = (date(1899, 12, 31), date(1931, 2, 28), date(1970, 1, 1), date(2004, 2, 29), None)
CHILDREN = (date(2023, 8, 31), date(2024, 2, 29), START + timedelta(days=DAYS), date(2025, 1, 1), date(2021, 3, 31))


def awkward_frames(members: int = 14) -> Frames:
    """Return a shop of so many plain members, and some that are not."""
    frames = make_frames(members=members, days=DAYS, seed=5, zone=ZONE)
    frames["orders"] = pd.concat([frames["orders"], _orders()], ignore_index=True)
    frames["members"] = pd.concat([frames["members"], _members()], ignore_index=True)
    frames["products"] = pd.concat([frames["products"], _products()], ignore_index=True)
    frames["events"] = pd.concat([frames["events"], _events()], ignore_index=True)
    late = frames["contacts"].tail(3).assign(sent_at=at(DAYS - 2, 0, zone=ZONE))
    frames["contacts"] = pd.concat([frames["contacts"], late], ignore_index=True)
    return frames


def _orders() -> pd.DataFrame:
    """Members who buy seldom, at equal hours and in equal numbers; the last one only brings back."""
    rows = []
    for number, member in enumerate(MEMBERS):
        for nth, day in enumerate((3, 3, 40, 88, 89, 117)[: 1 + number % 6]):
            product = PRODUCTS[(number + nth) % len(PRODUCTS)]
            rows += [_line(member, product, day, hour, number + nth) for hour in (9, 21)]
        rows.append(_line(member, "商品0-0", 60 + number, 23.99, number))
        rows.append(_line(member, "twin", 70 + number, 0, number))
    returned = [_line(MEMBERS[-1], "商品1-0", day, 12, 4) | {"is_return": True, "discount": None} for day in (30, 31)]
    kept = [row for row in rows if row["member_id"] != MEMBERS[-1]]
    return pd.DataFrame([*kept, *returned])


def _line(member: str, product: str, day: int, hour: float, number: int) -> dict[str, object]:
    return {
        "order_id": f"A{member}{day}{hour}",
        "member_id": member,
        "product_id": product,
        "ordered_at": at(day, hour, zone=ZONE),
        "quantity": QUANTITIES[number % len(QUANTITIES)],
        "amount": AMOUNTS[number % len(AMOUNTS)],
        "discount": AMOUNTS[-number % len(AMOUNTS)] if number % 2 else None,
        "channel": ("app", "店", None)[number % 3],
        "store_id": ("𠮷", "～", "Z", None)[number % 4],
        "is_return": False,
    }


def _members() -> pd.DataFrame:
    """All but the first have a row; one of them refuses to be personalised, and two never buy."""
    names = (*MEMBERS[1:], "never", "𠮷never")
    return pd.DataFrame(
        [
            {
                "member_id": name,
                "registered_at": LONG_AGO if number % 2 else at(number, 23.5, zone=ZONE),
                "birth_date": BORN[number % len(BORN)],
                "child_birth_date": CHILDREN[number % len(CHILDREN)],
                "gender": ("", "f", None)[number % 3],
                "points_balance": (None, -0.5, 1e15, 0.0)[number % 4],
                "consent_personalised": name != "ZOE",
                "updated_at": at(number * 9, 0, zone=ZONE),
                "tier": "金卡",
            }
            for number, name in enumerate(names)
        ]
    )


def _products() -> pd.DataFrame:
    """Some without category, brand or price, launched at the edges of what counts as new; and the twin of a launch."""
    listed = PRODUCTS[:-2]
    edges = (DAYS - 28, DAYS, DAYS + 27, DAYS + 28, -20_000, DAYS - 1)
    rows: list[dict[str, object]] = [
        {
            "product_id": name,
            "name": name,
            "category": (None, "Käse", "it's", "牛奶")[number % 4],
            "subcategory": (None, "sub > sub", "α")[number % 3],
            "brand": (None, "brand-1", "Ωmega")[number % 3],
            "price": (None, 0.0, 19.99)[number % 3],
            "launched_at": at(edges[number], 0, zone=ZONE),
            "delisted_at": at(DAYS - 3, 0, zone=ZONE) if number == 1 else None,
            "is_consumable": (None, True, False)[number % 3],
        }
        for number, name in enumerate(listed)
    ]
    twin = rows[-1] | {"product_id": "twin", "launched_at": None}
    return pd.DataFrame([*rows, twin])


def _events() -> pd.DataFrame:
    """Events on products that nobody lists, on none, and of the last instant before a day begins."""
    return pd.DataFrame(
        [
            {
                "event_id": f"x{number}",
                "member_id": MEMBERS[number % 9],
                "type": ("view", "cart", "favourite", "search", "check_in")[number % 5],
                "product_id": (PRODUCTS[number % len(PRODUCTS)], "unheard of", None)[number % 3],
                "occurred_at": at(DAYS - number % 40, 0, zone=ZONE) - timedelta(microseconds=1),
            }
            for number in range(60)
        ]
    )
