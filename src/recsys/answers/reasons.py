"""The words of each reason, in Chinese and English."""

from recsys.answers.shapes import Scalar, Why
from recsys.artifacts.publication import Product
from recsys.artifacts.publication_content import Reason

_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.DUE: (
        "该补货了：约每{mean_gap}天买一次，上次在{days_since}天前",
        "due: bought about every {mean_gap} days, last {days_since} days ago",
    ),
    Reason.AGAIN: (
        "买过{purchase_days}天，上次在{days_since}天前",
        "bought on {purchase_days} days before, last {days_since} days ago",
    ),
    Reason.IN_CATEGORY: ("您常买的{category}", "from {category}, which you buy"),
    Reason.FOR_YOU: ("和您喜好相近的会员在买", "chosen by members whose baskets are like yours"),
    Reason.NEW: ("{category}新品", "new in {category}"),
    Reason.GOES_WITH: ("常与{with_name}一起买", "often bought with {with_name}"),
    Reason.SIMILAR: ("与{with_name}相似", "similar to {with_name}"),
    Reason.POPULAR: ("近28天有{buyers}位会员购买", "bought by {buyers} members in the last 28 days"),
    Reason.POPULAR_IN_CATEGORY: ("{category}热卖", "popular in {category}"),
}


def why(code: Reason, params: dict[str, Scalar]) -> Why:
    """Put a reason in words.

    A due product whose gap is unknown is told as bought before, one without a last purchase as chosen for the member.
    """
    if code is Reason.DUE and params.get("mean_gap") is None:
        code = Reason.AGAIN
    if code is Reason.AGAIN and params.get("days_since") is None:
        code = Reason.FOR_YOU
    zh, en = _WORDS[code]
    return Why(code, params, zh.format_map(params), en.format_map(params))


def with_product(product: Product) -> dict[str, Scalar]:
    """Return the parameters that name the product an item belongs with."""
    return {"with_product_id": product.product_id, "with_name": product.name or product.product_id}
