"""What writer and reader of a publication agree on."""

from hashlib import blake2b

FORMAT = 8
"""Raised whenever a file of the folder changes its meaning; a reader refuses every other number."""

FEATURE_QUANTILES = 101
CHURN_QUANTILES = 1001

PRODUCT_TEXTS = ("product_id", "name", "subcategory")
PRODUCT_NUMBERS = (
    "price",
    "price_level",
    "stock",
    "consumable",
    "launched_day",
    "delisted_day",
    "buyers_28",
    "buyers_90",
    "popularity",
)
LAUNCH_NUMBERS = ("launch_scored", "launch_floor")
PRICE_BAND = ("low", "high")
RECOMMEND_EVIDENCE = ("purchase_days", "days_since", "mean_gap")
DISCOVERIES = 30
"""So many discoveries of a member are published."""
MEMBER_TEXTS = ("member_id", "attributes")
VALUE_NUMBERS = ("score", "purchases", "margin")
REPURCHASE_NUMBERS = ("score", "p7", "p14", "p28", "median_days", "low_days", "high_days", "need_ends_day")


def id_key(text: str) -> int:
    """Unsigned 64-bit hash of an opaque id; the order of rows in a publication, and how an id is found."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
