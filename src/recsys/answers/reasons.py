"""The words of each reason, in Chinese and English, and what each needs to be known before it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from recsys.answers.shapes import Scalar, Why
from recsys.artifacts.publication_content import UNKNOWN_CATEGORY, Reason

Telling = tuple[Any, ...]
"""One of the `Words` below, then the values of its parameters: all that the text of a reason depends on."""


def why(telling: Telling) -> Why:
    """Put a reason in words."""
    words: Words = telling[0]
    params: dict[str, Scalar] = dict(zip(words.params, telling[1:], strict=True))
    zh, en = words.texts(params)
    return Why(words.code, params, zh, en)


@dataclass(frozen=True, eq=False)
class Words:
    """How a reason is told: its texts, and the names of its parameters."""

    code: Reason
    texts: Callable[[Mapping[str, Scalar]], tuple[str, str]]
    params: tuple[str, ...] = ()


def _number(n: Scalar, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def _due(params: Mapping[str, Scalar]) -> tuple[str, str]:
    gap, since = params["mean_gap"], params["days_since"]
    often = "day" if gap == 1 else f"{gap} days"
    return (
        f"该补货了：约每{'' if gap == 1 else gap}天买一次，上次在{since}天前",
        f"due: bought about every {often}, last {_number(since, 'day')} ago",
    )


def _again(params: Mapping[str, Scalar]) -> tuple[str, str]:
    days, since = params["purchase_days"], params["days_since"]
    if days == 1:
        return f"{since}天前买过", f"bought {_number(since, 'day')} ago"
    return f"买过{days}次，上次在{since}天前", f"bought {days} times, last {_number(since, 'day')} ago"


def _new(params: Mapping[str, Scalar]) -> tuple[str, str]:
    category = params["category"]
    return (f"{category}新品", f"new in {category}") if category else ("新品上架", "just launched")


def _popular(params: Mapping[str, Scalar]) -> tuple[str, str]:
    buyers = params["buyers"]
    return f"近28天有{buyers}位会员购买", f"bought by {_number(buyers, 'member')} in the last 28 days"


def _declared(params: Mapping[str, Scalar]) -> tuple[str, str]:
    category, answer = params["category"], params["answer"]
    if answer is None:
        return f"您选择的{category}", f"from {category}, as you asked for"
    return f"根据您的回答“{answer}”：{category}", f"from {category}, as you answered: {answer}"


def _with(code: Reason, zh: str, en: str) -> Words:
    def texts(params: Mapping[str, Scalar]) -> tuple[str, str]:
        name = params["with_name"]
        return zh.format(name=name), en.format(name=name)

    return Words(code, texts, ("with_product_id", "with_name"))


def _plain(code: Reason, zh: str, en: str) -> Words:
    return Words(code, lambda _: (zh, en))


DUE = Words(Reason.DUE, _due, ("mean_gap", "days_since"))
AGAIN = Words(Reason.AGAIN, _again, ("purchase_days", "days_since"))
IN_CATEGORY = Words(
    Reason.IN_CATEGORY,
    lambda params: (f"您买过的{params['category']}", f"from {params['category']}, which you have bought"),
    ("category",),
)
FOR_YOU = _plain(Reason.FOR_YOU, "和您喜好相近的会员在买", "chosen by members whose baskets are like yours")
NEW = Words(Reason.NEW, _new, ("category",))
NEW_IN_CATEGORY = Words(
    Reason.NEW_IN_CATEGORY,
    lambda params: (f"您常买的{params['category']}有新品", f"new in {params['category']}, a category you buy"),
    ("category",),
)
GOES_WITH = _with(Reason.GOES_WITH, "常与{name}一起买", "often bought with {name}")
GOES_WITH_CART = _with(Reason.GOES_WITH_CART, "与购物车里的{name}搭配", "goes with {name} in your cart")
SIMILAR = _with(Reason.SIMILAR, "与{name}相似", "similar to {name}")
VIEWED = _plain(Reason.VIEWED, "您最近看过", "viewed lately")
LIKE_VIEWED = _with(Reason.LIKE_VIEWED, "与您看过的{name}相似", "like {name}, which you viewed lately")
FAVOURITE = _plain(Reason.FAVOURITE, "您收藏的商品", "in your favourites")
LIKE_FAVOURITE = _with(Reason.LIKE_FAVOURITE, "与您收藏的{name}相似", "like {name} in your favourites")
DECLARED = Words(Reason.DECLARED, _declared, ("category", "question", "answer"))
POPULAR = Words(Reason.POPULAR, _popular, ("buyers",))
POPULAR_IN_CATEGORY = Words(
    Reason.POPULAR_IN_CATEGORY,
    lambda params: (f"{params['category']}热卖", f"popular in {params['category']}"),
    ("category", "buyers"),
)
ASSORTMENT = _plain(Reason.ASSORTMENT, "店内在售", "in our range")
PINNED = _plain(Reason.PINNED, "店铺精选", "picked by the shop")


def due(purchase_days: float, days_since: float, mean_gap: float) -> Telling | None:
    """Tell the habit; what is unknown of it makes it no more than bought before, and None when that is unknown too."""
    if isfinite(mean_gap) and isfinite(days_since):
        gap, since = round(mean_gap), round(days_since)
        if gap > 0 and since > 0:
            return (DUE, gap, since)
    return again(purchase_days, days_since)


def again(purchase_days: float, days_since: float) -> Telling | None:
    """Tell that it was bought before; None when it is not known when."""
    if isfinite(purchase_days) and isfinite(days_since):
        times, since = round(purchase_days), round(days_since)
        if times > 0 and since > 0:
            return (AGAIN, times, since)
    return None


def in_category(category: str) -> Telling | None:
    """Tell that the member buys the category; None when it cannot be named."""
    return None if category == UNKNOWN_CATEGORY else (IN_CATEGORY, category)


def new(category: str, *, bought: bool) -> Telling:
    """Tell a launch. bought: whether the member buys its category."""
    if category == UNKNOWN_CATEGORY:
        return (NEW, None)
    return (NEW_IN_CATEGORY if bought else NEW, category)


def popular(buyers: float) -> Telling:
    """Tell how many bought it in the last 28 days, unless nobody did."""
    return (POPULAR, round(buyers)) if buyers >= 1 else (ASSORTMENT,)


def popular_in(category: str, buyers: float) -> Telling:
    """Tell that it sells well in its category, as far as it sells and the category can be named."""
    if category == UNKNOWN_CATEGORY or buyers < 1:
        return popular(buyers)
    return (POPULAR_IN_CATEGORY, category, round(buyers))
