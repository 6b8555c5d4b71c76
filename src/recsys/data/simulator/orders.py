"""Baskets with their money: prices, markdowns, coupons, and what comes back."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints, added
from recsys.data.simulator.campaigns import RUNS, SENT, Contacts, coupon_applies
from recsys.data.simulator.lines import Lines
from recsys.data.simulator.members import Members
from recsys.data.simulator.visits import Visits
from recsys.data.simulator.world import World

COUPON_USED = 0.5
"""Share of lines for which a coupon counts that use it, without an extra order."""
BACK_WITHIN = 12.0


@dataclass(frozen=True)
class Orders:
    """Order lines, (n,) each, in the order of members and time.

    visit, product, quantity: as in `Lines`. amount: money paid. discount: money taken off the list price.
    coupon: the campaign whose coupon was used, -1 = none.
    back_at: time at which the line is brought back; NaN = kept.
    """

    visit: Ints
    product: Ints
    quantity: Floats
    amount: Floats
    discount: Floats
    coupon: Ints
    back_at: Floats

    def __len__(self) -> int:
        return len(self.visit)


def add_extra(world: World, visits: Visits, contacts: Contacts, lines: Lines, rng: np.random.Generator) -> tuple[
    Visits, Lines, Flags
]:  # fmt: skip
    """Add the visits and lines that campaigns brought; visits are numbered anew, in the order of members and time.

    Returns also which visits are extra.
    """
    extra = np.flatnonzero(~np.isnan(contacts.extra))
    member = np.concatenate([visits.member, contacts.member[extra]])
    time = np.concatenate([visits.time, contacts.extra[extra]])
    order = np.lexsort((time, member))
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    said = np.ones(len(extra), dtype=np.bool_)
    grown = Visits(
        member=member[order],
        time=time[order],
        trip=np.concatenate([visits.trip, said])[order],
        joining=np.concatenate([visits.joining, ~said])[order],
        online=np.concatenate([visits.online, said])[order],
        pace=visits.pace,
    )
    own = number[len(visits) + np.arange(len(extra))]
    about = [world.campaigns[campaign].products for campaign in contacts.campaign[extra]]
    product = np.array([one[int(rng.integers(len(one)))] for one in about], dtype=np.int64)
    added = Lines(own, product, np.ones(len(extra)))
    renumbered = Lines(number[lines.visit], lines.product, lines.quantity)
    is_extra = np.zeros(len(order), dtype=np.bool_)
    is_extra[own] = True
    return grown, Lines.together([renumbered, added]), is_extra


def charge(
    world: World,
    members: Members,
    visits: Visits,
    contacts: Contacts,
    lines: Lines,
    is_extra: Flags,
    rng: np.random.Generator,
) -> Orders:
    """Put money to lines: the day's markdown, then a coupon; and draw what is brought back."""
    time = visits.time[lines.visit]
    full = world.catalogue.price[lines.product] * lines.quantity
    off = np.round(full * world.catalogue.markdown_at(lines.product, time), 2)
    coupon = _coupons(world, visits, contacts, lines, full, is_extra, rng)
    face = np.array([campaign.face for campaign in world.campaigns] + [0.0])[coupon]
    off = np.round(np.minimum(off + face, full * 0.9), 2)
    returned = rng.random(len(lines)) < world.profile.returns
    back = time + rng.uniform(0.5, BACK_WITHIN, len(lines))
    return Orders(
        visit=lines.visit,
        product=lines.product,
        quantity=lines.quantity,
        amount=np.round(full - off, 2),
        discount=off,
        coupon=coupon,
        back_at=np.where(returned & (back < world.days), back, np.nan),
    )


def spent(members: Members, visits: Visits, orders: Orders) -> Floats:
    """Return (m,) money that each member paid, less what came back."""
    kept = np.where(np.isnan(orders.back_at), orders.amount, 0.0)
    return added(kept, visits.member[orders.visit], len(members))


def _coupons(
    world: World,
    visits: Visits,
    contacts: Contacts,
    lines: Lines,
    full: Floats,
    is_extra: Flags,
    rng: np.random.Generator,
) -> Ints:
    """Return the campaign whose coupon each line uses, -1 = none: on the first line of an order that it counts for."""
    used = np.full(len(lines), -1, dtype=np.int64)
    willing = is_extra[lines.visit] | (rng.random(len(lines)) < COUPON_USED)
    time, owner = visits.time[lines.visit], visits.member[lines.visit]
    for number, campaign in enumerate(world.campaigns):
        if campaign.coupon is None:
            continue
        got = contacts.member[(contacts.campaign == number) & contacts.treated]
        runs = (time >= campaign.day + SENT) & (time < campaign.day + RUNS) & willing
        there = np.flatnonzero(runs)
        there = there[np.isin(owner[there], got) & coupon_applies(campaign, lines.product[there], full[there])]
        _, first = np.unique(lines.visit[there], return_index=True)
        used[there[first]] = number
    return used
