"""The retailer's tables of a simulated shop, as Arrow tables with the columns of `recsys.data.schema`."""

from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.schema import EVENT_TYPES
from recsys.data.simulator.arrays import Floats, Ints, within
from recsys.data.simulator.campaigns import RUNS, SENT, Contacts, bounded, content_format
from recsys.data.simulator.cell import Cell
from recsys.data.simulator.columns import chosen, dates, numbered, table_of, times
from recsys.data.simulator.members import Members
from recsys.data.simulator.orders import spent
from recsys.data.simulator.visits import Visits
from recsys.data.simulator.words import (
    CAMPAIGN_KINDS,
    CITIES,
    CONTACT_CHANNELS,
    ONLINE,
    ONLINE_SHARES,
    PLACEMENTS,
    SOURCES,
    STORE,
    TIER_SHARES,
    TIERS,
)
from recsys.data.simulator.world import World

Tables = dict[str, pa.Table]
CHANNELS = (*ONLINE, STORE)
PER_MEMBER = 100_000
"""More visits, and more events, than any member has."""
JOINS_BEFORE = 65 / 1440
"""Who joins with an order joins so much of a day before it, but on the same day."""
POINTS = 0.8
STOCK = 400


def world_tables(world: World) -> Tables:
    """Return products, campaigns and coupons."""
    return {"products": _products(world), "campaigns": _campaigns(world), "coupons": _coupons(world)}


def cell_tables(world: World, cell: Cell) -> Tables:
    """Return members, orders, events, contacts and redemptions of a cell's members."""
    names = member_names(cell.members)
    return {
        "members": _members(world, cell, names),
        "orders": _orders(world, cell, names),
        "events": _events(world, cell, names),
        "contacts": _contacts(world, cell.contacts, names),
        "redemptions": _redemptions(world, cell, names),
    }


def member_names(members: Members) -> list[str]:
    """Return the ids of a cell's members."""
    return [f"M{number:08d}" for number in range(members.first, members.first + len(members))]


def product_names(world: World) -> list[str]:
    """Return the ids of all products."""
    return [f"P{number:05d}" for number in range(len(world.catalogue))]


def _products(world: World) -> pa.Table:
    goods, calendar = world.catalogue, world.calendar
    end = world.days - 1e-6
    rng = np.random.default_rng(len(goods))
    out = (goods.gone <= end) & (end < goods.back)
    stock = np.where(out.any(axis=1) | (goods.delist <= end), 0, rng.integers(1, STOCK, len(goods)))
    delist = np.where(goods.delist < world.days, goods.delist, np.nan)
    kinds = world.profile.categories
    return table_of(
        {
            "product_id": product_names(world),
            "name": goods.names,
            "category": [kinds[number].name for number in goods.category],
            "subcategory": goods.subcategories,
            "brand": goods.brands,
            "price": goods.price,
            "package_size": goods.packages,
            "launched_at": times(calendar, bounded(goods.launch)),
            "delisted_at": times(calendar, delist),
            "stock": stock.astype(np.float64),
            "is_consumable": [kinds[number].cycle > 0 for number in goods.category],
        }
    )


def _campaigns(world: World) -> pa.Table:
    every, calendar = world.campaigns, world.calendar
    days = np.array([campaign.day for campaign in every], dtype=np.float64)
    return table_of(
        {
            "campaign_id": pa.array([campaign.name for campaign in every], pa.string()),
            "name": pa.array([campaign.title for campaign in every], pa.string()),
            "kind": pa.array([CAMPAIGN_KINDS[campaign.kind] for campaign in every], pa.string()),
            "starts_at": times(calendar, days),
            "ends_at": times(calendar, days + RUNS),
        }
    )


def _coupons(world: World) -> pa.Table:
    every = [campaign for campaign in world.campaigns if campaign.coupon is not None]
    names = product_names(world)
    rows = [(campaign, product) for campaign in every for product in campaign.products]
    days = np.array([campaign.day for campaign, _ in rows], dtype=np.float64)
    return table_of(
        {
            "coupon_id": pa.array([campaign.coupon for campaign, _ in rows], pa.string()),
            "campaign_id": pa.array([campaign.name for campaign, _ in rows], pa.string()),
            "product_id": pa.array([names[product] for _, product in rows], pa.string()),
            "face_value": pa.array([campaign.face for campaign, _ in rows], pa.float64()),
            "threshold": pa.array([campaign.threshold for campaign, _ in rows], pa.float64()),
            "starts_at": times(world.calendar, days),
            "ends_at": times(world.calendar, days + RUNS),
        }
    )


def _members(world: World, cell: Cell, names: list[str]) -> pa.Table:
    people, calendar = cell.members, world.calendar
    money = spent(people, cell.visits, cell.orders)
    tier = np.searchsorted(np.quantile(money, TIER_SHARES), money, side="right")
    year = np.where(people.birth_year > 0, (people.birth_year - 1970) * 365.25 - calendar.first, np.nan)
    birthday: Floats = year + people.birth_day
    told = people.child_told & (people.child < world.days)
    read = np.full(len(people), world.days - 1 + 3 / 24)
    edges: Any = pa.array(np.arange(len(people) + 1, dtype=np.int32))
    about = pa.MapArray.from_arrays(
        edges,
        pa.array(["偏好渠道"] * len(people)),
        chosen(people.contact, CONTACT_CHANNELS).cast(pa.string()),
    )
    return table_of(
        {
            "member_id": names,
            "registered_at": times(calendar, _joined(people, cell.visits)),
            "birth_date": dates(calendar, birthday),
            "child_birth_date": dates(calendar, np.where(told, people.child, np.nan)),
            "gender": chosen(people.gender, ("女", "男", None)),
            "city": chosen(people.city, CITIES),
            "source_channel": chosen(people.source, SOURCES),
            "tier": chosen(tier, TIERS),
            "points_balance": np.floor(money * POINTS),
            "consent_personalised": people.consent,
            "updated_at": times(calendar, read),
            "attributes": about,
        }
    )


def _joined(people: Members, visits: Visits) -> Floats:
    """Return when members joined: just before the visit on which they did, where they did within the span."""
    joined = people.joined.copy()
    first = np.flatnonzero(visits.joining)
    joined[visits.member[first]] = np.maximum(visits.time[first] - JOINS_BEFORE, np.floor(visits.time[first]))
    return joined


def _orders(world: World, cell: Cell, names: list[str]) -> pa.Table:
    orders, visits = cell.orders, cell.visits
    back = np.flatnonzero(~np.isnan(orders.back_at))
    line = np.concatenate([np.arange(len(orders)), back])
    returned = np.arange(len(line)) >= len(orders)
    visit = orders.visit[line]
    owner = visits.member[visit]
    number = _number(cell.members, visits)
    shop = CHANNELS.index(STORE)
    pick = number * 2_654_435_761 % 1000 / 1000
    channel = np.where(visits.online, np.searchsorted(np.cumsum(ONLINE_SHARES)[:-1], pick, side="right"), shop)[visit]
    coupons = [campaign.coupon for campaign in world.campaigns]
    store = np.where(channel == shop, cell.members.city[owner], -1)
    return table_of(
        {
            "order_id": numbered("O", number[visit]),
            "member_id": chosen(owner, names),
            "product_id": chosen(orders.product[line], product_names(world)),
            "ordered_at": times(world.calendar, np.where(returned, orders.back_at[line], visits.time[visit])),
            "quantity": orders.quantity[line],
            "amount": orders.amount[line],
            "discount": orders.discount[line],
            "coupon_id": chosen(orders.coupon[line], coupons),
            "channel": chosen(channel, CHANNELS),
            "store_id": chosen(store, [f"{city}店" for city in CITIES]),
            "is_return": returned,
        }
    )


def _number(people: Members, visits: Visits) -> Ints:
    """Return each visit's number in the whole shop."""
    counts = np.bincount(visits.member, minlength=len(people))
    return (people.first + visits.member) * PER_MEMBER + within(counts)


def _events(world: World, cell: Cell, names: list[str]) -> pa.Table:
    events, visits = cell.events, cell.visits
    owner = visits.member[events.visit]
    serial = within(np.bincount(owner, minlength=len(cell.members)))
    return table_of(
        {
            "event_id": numbered("E", (cell.members.first + owner) * PER_MEMBER + serial),
            "member_id": chosen(np.where(events.anonymous, -1, owner), names),
            "anonymous_id": numbered("D", _number(cell.members, visits)[events.visit], ~events.anonymous),
            "type": chosen(events.kind, EVENT_TYPES),
            "product_id": chosen(events.product, product_names(world)),
            "query": chosen(events.searched, [category.name for category in world.profile.categories]),
            "placement": chosen(events.place, PLACEMENTS),
            "occurred_at": times(world.calendar, events.time),
        }
    )


def _contacts(world: World, contacts: Contacts, names: list[str]) -> pa.Table:
    every = world.campaigns
    return table_of(
        {
            "campaign_id": chosen(contacts.campaign, [campaign.name for campaign in every]),
            "member_id": chosen(contacts.member, names),
            "arm": chosen((~contacts.treated).astype(np.int64), ("触达", "对照")),
            "channel": chosen(contacts.channel, CONTACT_CHANNELS),
            "content_format": chosen(contacts.campaign, [content_format(campaign) for campaign in every]),
            "sent_at": times(world.calendar, sent_times(world, contacts)),
        }
    )


def sent_times(world: World, contacts: Contacts) -> Floats:
    """Return (n,) times of contacts, in days."""
    days = np.array([campaign.day for campaign in world.campaigns], dtype=np.float64)
    return days[contacts.campaign] + SENT


def _redemptions(world: World, cell: Cell, names: list[str]) -> pa.Table:
    orders, visits = cell.orders, cell.visits
    used = np.flatnonzero(orders.coupon >= 0)
    visit, campaign = orders.visit[used], orders.coupon[used]
    return table_of(
        {
            "coupon_id": chosen(campaign, [one.coupon for one in world.campaigns]),
            "member_id": chosen(visits.member[visit], names),
            "campaign_id": chosen(campaign, [one.name for one in world.campaigns]),
            "order_id": numbered("O", _number(cell.members, visits)[visit]),
            "redeemed_at": times(world.calendar, visits.time[visit]),
        }
    )
