"""Why a member is in an audience: a code, and words in Chinese and English, by what the audience is for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from recsys.answers.audience.benefits import SEGMENTATION
from recsys.answers.audience.describe import describe
from recsys.answers.audience.evaluate import members
from recsys.answers.audience.needs import Needs
from recsys.answers.audience.pick import Plan
from recsys.answers.audience.rule import VISIT, Did, Goods, Segmented
from recsys.answers.audience.scenario import Scenario
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Tag

BROWSED_DAYS = 14
LIKELY = 0.5
FEW = 100


class Because(StrEnum):
    """Why a member is in an audience."""

    DUE = "due"
    """About to buy in a category again."""
    BRAND = "brand"
    """Bought the product's brand."""
    CATEGORY = "category"
    """Buys the product's category."""
    LAUNCH_FAN = "launch_fan"
    """Buys launches."""
    PREDICTED = "predicted"
    """Among the likeliest, and nothing plainer speaks for it."""
    BROWSED = "browsed"
    """Was there lately and bought nothing."""
    SILENT = "silent"
    """Bought once, not lately."""
    ENTHUSIAST = "enthusiast"
    """Buys on discount far more than what is on offer explains."""
    SENSITIVE = "sensitive"
    """Buys on discount more than what is on offer explains."""
    NEVER_THERE = "never_there"
    """Buys in one category and never did in the other."""
    RULE = "rule"
    """The rule takes the member."""
    ALIKE = "alike"
    """Like the members of a list."""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason in words."""

    code: Because
    zh: str
    en: str


@dataclass(frozen=True, eq=False)
class Whys:
    """The reason of each of (n,) members: places in `told`."""

    told: tuple[Why, ...]
    place: "np.ndarray"


def whys(publication: Publication, plan: Plan, rows: "np.ndarray", needs: Needs) -> Whys:
    """Tell why each of (n,) members is in a plan's audience."""
    return _OF[plan.scenario](publication, plan, rows, needs)


def _due(publication: Publication, plan: Plan, _: "np.ndarray", needs: Needs) -> Whys:
    within = plan.by.within or 14
    words = _per_category(
        publication, needs, lambda name: (f"预计{within}天内回购{name}", f"likely to buy {name} again in {within} days")
    )
    return Whys((*words.told, Why(Because.RULE, "近期可能购买", "may buy soon")), words.place)


def _per_category(publication: Publication, needs: Needs, words: Callable[[str], tuple[str, str]]) -> Whys:
    """One reason a category; a member without a category is placed after the last."""
    rows, place = np.unique(needs.category, return_inverse=True)
    known = rows[rows >= 0].tolist()
    told = tuple(Why(Because.DUE, *words(publication.categories[row])) for row in known)
    place = place - (len(rows) - len(known))
    return Whys(told, np.where(place < 0, len(known), place))


def _tries(publication: Publication, plan: Plan, rows: "np.ndarray", _: Needs) -> Whys:
    row = publication.products.row(plan.laid.product_id or "")
    product = None if row is None else publication.product(row)
    category, brand = (None, None) if product is None else (product.category, product.brand)
    told = (
        Why(Because.BRAND, f"买过{brand}的商品", f"bought {brand} before"),
        Why(Because.CATEGORY, f"买过{category}", f"buys {category}"),
        Why(Because.LAUNCH_FAN, "喜欢尝试新品", "fond of launches"),
        Why(Because.PREDICTED, "预测为最可能尝试的会员之一", "predicted to be among the likeliest to try it"),
    )
    of_brand = np.zeros(len(publication.products), dtype=np.bool_)
    of_category = of_brand.copy()
    if row is not None:
        own = int(publication.product_brand[row])
        of_brand = (publication.product_brand == own) & (own >= 0)
        of_category = publication.product_category == publication.product_category[row]
    holds = _bought(publication, rows, np.stack([of_brand, of_category]))
    fan = (publication.tag_bits[rows] >> tuple(Tag).index(Tag.LAUNCH_FAN) & 1).astype(np.bool_)
    return _first(told, (*holds, fan), len(rows))


def _bought(publication: Publication, rows: "np.ndarray", wanted: "np.ndarray") -> "np.ndarray":
    """(k, n) whether members bought one of each of k sets of products in the days that are kept.

    wanted: (k, products). A few members are looked up one by one.
    """
    facts = publication.facts.purchases
    products = facts.columns["product"]
    if len(rows) <= FEW:
        found = [wanted[:, products[facts.of_member(row)]].any(axis=1) for row in rows.tolist()]
        return np.array(found, dtype=np.bool_).reshape(-1, len(wanted)).T
    every = np.zeros((len(wanted), len(publication.members)), dtype=np.bool_)
    for low, high in pairwise(facts.start.tolist()):
        for own, of in zip(every, wanted, strict=True):
            own[facts.member[low:high][of[products[low:high]]]] = True
    return np.asarray(every[:, rows])


def _returns(publication: Publication, plan: Plan, rows: "np.ndarray", needs: Needs) -> Whys:
    words = _per_category(
        publication, needs, lambda name: (f"很可能在28天内回购{name}", f"likely to buy {name} again in 28 days")
    )
    browsed = members(publication, Did(VISIT, Goods(), BROWSED_DAYS))[rows]
    likely = needs.chance >= LIKELY
    told = (
        *words.told,
        Why(
            Because.BROWSED,
            f"近{BROWSED_DAYS}天来过但没有购买",
            f"visited in the last {BROWSED_DAYS} days without buying",
        ),
        Why(Because.SILENT, "曾经购买，近来没有", "bought once, not lately"),
    )
    n = len(words.told)
    return Whys(told, np.select([browsed, likely & (words.place < n)], [n, words.place], n + 1))


def _discounts(publication: Publication, _: Plan, rows: "np.ndarray", __: Needs) -> Whys:
    told = (
        Why(
            Because.ENTHUSIAST,
            "热衷优惠，促销时购买明显更多",
            "buys far more on discount than others with the same offers",
        ),
        Why(Because.SENSITIVE, "对优惠敏感", "buys more on discount than others with the same offers"),
    )
    enthusiast = members(publication, Segmented(SEGMENTATION, ("enthusiast",)))[rows]
    return _first(told, (enthusiast,), len(rows))


def _discovers(_: Publication, plan: Plan, rows: "np.ndarray", __: Needs) -> Whys:
    knows, lacks = plan.laid.due_in, plan.laid.about
    zh = f"常买{'、'.join(knows)}，还没买过{'、'.join(lacks)}"
    en = f"buys {', '.join(knows)} and never {', '.join(lacks)}"
    return Whys((Why(Because.NEVER_THERE, zh, en),), np.zeros(len(rows), dtype=np.int64))


def _ruled(publication: Publication, plan: Plan, rows: "np.ndarray", _: Needs) -> Whys:
    words = describe(plan.rule, publication)
    return Whys((Why(Because.RULE, words.zh, words.en),), np.zeros(len(rows), dtype=np.int64))


def _alike(_: Publication, __: Plan, rows: "np.ndarray", ___: Needs) -> Whys:
    told = (Why(Because.ALIKE, "与名单中的会员相似", "like the members of the list"),)
    return Whys(told, np.zeros(len(rows), dtype=np.int64))


def _first(told: tuple[Why, ...], holds: tuple["np.ndarray", ...], n: int) -> Whys:
    """Take the first reason that holds; the last one of all needs no ground."""
    return Whys(
        told, np.select(list(holds), list(range(len(holds))), len(told) - 1) if n else np.empty(0, dtype=np.int64)
    )


_OF: Mapping[Scenario, Callable[[Publication, Plan, "np.ndarray", Needs], Whys]] = {
    Scenario.REPURCHASE: _due,
    Scenario.NEW_PRODUCT: _tries,
    Scenario.WIN_BACK: _returns,
    Scenario.PROMOTION: _discounts,
    Scenario.CROSS_SELL: _discovers,
    Scenario.RULE: _ruled,
    Scenario.LOOKALIKE: _alike,
}
