"""The words of each reason, in Chinese and English."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys.answers.shapes import Scalar, Why
from recsys.artifacts.publication import Product
from recsys.artifacts.publication_content import UNKNOWN_CATEGORY, Reason

Evidence = dict[str, Scalar]


def why(code: Reason, evidence: Evidence) -> Why:
    """Put a reason in words; one whose evidence is unknown or nought becomes one that needs less."""
    telling = _TELLINGS[code]
    while not all(map(evidence.get, telling.needs)):
        code = telling.instead
        telling = _TELLINGS[code]
    zh, en = telling.words(evidence)
    return Why(code, evidence, zh, en)


def named_category(product: Product) -> str | None:
    """Return the product's category, None when it has none that could be named."""
    return None if product.category == UNKNOWN_CATEGORY else product.category


def with_product(product: Product) -> Evidence:
    """Return the evidence that names the product an item belongs with."""
    return {"with_product_id": product.product_id, "with_name": product.name or product.product_id}


@dataclass(frozen=True)
class _Telling:
    """How a reason is told: the evidence it needs, its words, and the reason that stands in without that evidence."""

    words: Callable[[Evidence], tuple[str, str]]
    needs: tuple[str, ...] = ()
    instead: Reason = Reason.POPULAR


def _number(n: Scalar, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def _due(evidence: Evidence) -> tuple[str, str]:
    gap, since = evidence["mean_gap"], evidence["days_since"]
    often = "day" if gap == 1 else f"{gap} days"
    return (
        f"该补货了：约每{'' if gap == 1 else gap}天买一次，上次在{since}天前",
        f"due: bought about every {often}, last {_number(since, 'day')} ago",
    )


def _again(evidence: Evidence) -> tuple[str, str]:
    days, since = evidence["purchase_days"], evidence["days_since"]
    if days == 1:
        return f"{since}天前买过", f"bought {_number(since, 'day')} ago"
    return f"买过{days}次，上次在{since}天前", f"bought {days} times, last {_number(since, 'day')} ago"


def _new(evidence: Evidence) -> tuple[str, str]:
    category = evidence.get("category")
    return (f"{category}新品", f"new in {category}") if category else ("新品上架", "just launched")


def _popular(evidence: Evidence) -> tuple[str, str]:
    buyers = evidence["buyers"]
    return f"近28天有{buyers}位会员购买", f"bought by {_number(buyers, 'member')} in the last 28 days"


_TELLINGS: Mapping[Reason, _Telling] = {
    Reason.DUE: _Telling(_due, ("mean_gap", "days_since"), Reason.AGAIN),
    Reason.AGAIN: _Telling(_again, ("purchase_days", "days_since")),
    Reason.IN_CATEGORY: _Telling(
        lambda evidence: (f"您买过的{evidence['category']}", f"from {evidence['category']}, which you have bought"),
        ("category",),
    ),
    Reason.FOR_YOU: _Telling(lambda _: ("和您喜好相近的会员在买", "chosen by members whose baskets are like yours")),
    Reason.NEW: _Telling(_new),
    Reason.GOES_WITH: _Telling(
        lambda evidence: (f"常与{evidence['with_name']}一起买", f"often bought with {evidence['with_name']}"),
        ("with_name",),
    ),
    Reason.SIMILAR: _Telling(
        lambda evidence: (f"与{evidence['with_name']}相似", f"similar to {evidence['with_name']}"), ("with_name",)
    ),
    Reason.POPULAR: _Telling(_popular, ("buyers",), Reason.ASSORTMENT),
    Reason.POPULAR_IN_CATEGORY: _Telling(
        lambda evidence: (f"{evidence['category']}热卖", f"popular in {evidence['category']}"), ("category", "buyers")
    ),
    Reason.ASSORTMENT: _Telling(lambda _: ("店内在售", "in our range")),
}
