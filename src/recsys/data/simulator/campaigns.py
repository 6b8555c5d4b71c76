"""Campaigns with hold-outs, whose effect is known: being contacted brings an extra order with a given chance."""

from dataclasses import dataclass

import numpy as np

from recsys.data.simulator.arrays import Flags, Floats, Ints
from recsys.data.simulator.catalogue import ALWAYS, Catalogue
from recsys.data.simulator.members import Members
from recsys.data.simulator.profile import Profile
from recsys.data.simulator.words import CAMPAIGN_KINDS, CAMPAIGN_NAMES, CONTACT_CHANNELS, CONTENT_FORMATS

RUNS = 14
"""Days that a campaign runs."""
EFFECT = 7
"""Days after the contact within which the extra order falls."""
SENT = 10 / 24
"""The time of day at which members are contacted."""
STRENGTH = (1.3, 0.7, 1.0)
"""Of the kinds of campaign."""
OFFERED = 12
COUPON_SHARE = 0.15


@dataclass(frozen=True)
class Campaign:
    """One campaign.

    day: its first, from the span's first. kind: index into CAMPAIGN_KINDS. products: what it is about.
    coupon: its coupon's name, or None. face, threshold: money that the coupon takes off a line of at least so much.
    effect: mean extra orders that a contact brings.
    """

    name: str
    title: str
    day: int
    kind: int
    channel: int
    products: Ints
    coupon: str | None
    face: float
    threshold: float
    effect: float


@dataclass(frozen=True)
class Contacts:
    """Members contacted or held out, (n,) each.

    campaign, member: indices. treated: false = held out. channel: index into CONTACT_CHANNELS.
    effect: extra orders to be expected from a contact, for those held out too: what it would have brought.
    extra: the time of the extra order in days; NaN where there is none.
    """

    campaign: Ints
    member: Ints
    treated: Flags
    channel: Ints
    effect: Floats
    extra: Floats


def make_campaigns(profile: Profile, catalogue: Catalogue, days: int, rng: np.random.Generator) -> tuple[Campaign, ...]:
    """Lay the campaigns of a span, each about products that can be bought as long as it runs."""
    campaigns = []
    for number, day in enumerate(range(30, days - EFFECT, profile.campaign_every)):
        kind = number % len(CAMPAIGN_KINDS)
        free = (catalogue.launch <= day) & (catalogue.delist >= min(day + RUNS, days))
        free &= ((catalogue.gone >= day + RUNS) | (catalogue.back <= day)).all(axis=1)
        chance = np.where(free, catalogue.liking, 0.0)
        count = min(OFFERED, int(free.sum()))
        products = np.sort(rng.choice(len(catalogue), count, replace=False, p=chance / chance.sum()))
        price = catalogue.price[products]
        campaigns.append(
            Campaign(
                name=f"C{number + 1:03d}",
                title=f"{CAMPAIGN_NAMES[number % len(CAMPAIGN_NAMES)]}第{number + 1}期",
                day=day,
                kind=kind,
                channel=int(rng.integers(len(CONTACT_CHANNELS))),
                products=products,
                coupon=f"券{number + 1:03d}" if kind == 0 else None,
                face=float(np.ceil(COUPON_SHARE * np.median(price))),
                threshold=float(price.min()),
                effect=profile.effect * STRENGTH[kind],
            )
        )
    return tuple(campaigns)


def make_contacts(
    profile: Profile, campaigns: tuple[Campaign, ...], members: Members, days: int, rng: np.random.Generator
) -> Contacts:
    """Choose whom each campaign contacts and holds out, by chance alone, and what the contact brings."""
    chosen, who = [], []
    for number, campaign in enumerate(campaigns):
        there = np.flatnonzero((members.joined < campaign.day) & (rng.random(len(members)) < profile.contacted))
        chosen.append(np.full(len(there), number))
        who.append(there)
    campaign_of = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
    member = np.concatenate([np.zeros(0, dtype=np.int64), *who])
    count = len(member)
    sent = np.array([campaign.day for campaign in campaigns])[campaign_of] + SENT if count else np.zeros(0)
    strength = np.array([campaign.effect for campaign in campaigns])[campaign_of] if count else np.zeros(0)
    chance = np.minimum(strength * members.moved[member], 1.0)
    span = EFFECT - SENT
    left = np.clip((np.minimum(members.leaves[member], days) - sent) / span, 0, 1)
    treated = rng.random(count) >= profile.held_out
    time = sent + rng.uniform(0, span, count)
    bought = treated & (rng.random(count) < chance) & (time < np.minimum(members.leaves[member], days))
    own = np.array([campaign.channel for campaign in campaigns])[campaign_of] if count else member
    return Contacts(campaign_of, member, treated, own, chance * left, np.where(bought, time, np.nan))


def content_format(campaign: Campaign) -> str:
    """Return the form of what a campaign sends."""
    return CONTENT_FORMATS[campaign.kind]


def coupon_applies(campaign: Campaign, product: Ints, full: Floats) -> Flags:
    """Tell for each of (n,) lines of so much money at list price whether a campaign's coupon counts for it."""
    return np.isin(product, campaign.products) & (full >= campaign.threshold)


def bounded(days: Floats) -> Floats:
    """Return days with NaN for what never comes."""
    return np.where(np.abs(days) < ALWAYS, days, np.nan)
