"""Features of a member's baskets: how many products are bought on a purchase day."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import Relation, features, number, ratio, when

# One row a member and purchase day; recent: 1 = the latest one.
MEMBER_BASKET = Relation(
    "member_basket",
    """
    SELECT member_day.member_code, recent, count(*) AS products
    FROM member_day
    JOIN member_product_day AS bought
        ON bought.member_code = member_day.member_code AND bought.day = member_day.day
    GROUP BY member_day.member_code, recent
    """,
    stored=False,
)

SOURCES = (MEMBER_BASKET,)

_NO_PURCHASE = "never bought"
_LATEST = "recent <= 10"

FEATURES: tuple[FeatureSpec, ...] = features(
    View.MEMBER,
    "member_basket",
    (
        number(
            "products_per_purchase_day",
            "count",
            _NO_PURCHASE,
            "distinct products of a purchase day, mean",
            "sum(products) / count(*)",
        ),
        number(
            "products_per_purchase_day_last_10",
            "count",
            _NO_PURCHASE,
            "distinct products of a purchase day, mean of the last 10",
            ratio(f"sum({when(_LATEST, 'products')})", f"sum({when(_LATEST, '1')})"),
        ),
        number(
            "products_on_last_purchase_day",
            "count",
            _NO_PURCHASE,
            "distinct products of the last purchase day",
            f"max({when('recent = 1', 'products')})",
        ),
    ),
)
