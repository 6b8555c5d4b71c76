"""Features of a member and a product the member may be offered: what both levels have, and kin and price."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import AS_OF, NEVER, Draft, Relation, features, number, when
from recsys.features.kin import kin_drafts, kin_relations
from recsys.features.level import PRODUCT
from recsys.features.pair import chance, events, history, ranks, rhythm, standing
from recsys.features.pair_relation import pair_relations
from recsys.features.product import PRICE_LEVEL
from recsys.features.sources import scores

PRODUCT_LEVEL = Relation(
    "product_level",
    f"SELECT product_code, {PRICE_LEVEL} AS price_level FROM product_price GROUP BY product_code",
)

# One row a pair: what the member bought of the product's brand, and how its price stands.
# *_times count (product, day) pairs.
PAIR_AFFINITY = Relation(
    "pair_affinity",
    """
    WITH brands AS (
        SELECT member_code, brand_code, sum(days) AS times, max(last_day) AS last_day
        FROM member_product_life WHERE brand_code IS NOT NULL GROUP BY member_code, brand_code
    )
    SELECT candidate.member_code, candidate.product_code, base.brand_code,
           brands.times AS brand_times, brands.last_day AS brand_last_day, totals.product_times AS times,
           product_level.price_level - totals.price_level AS price_distance
    FROM candidate_product AS candidate
    JOIN product_base AS base ON base.product_code = candidate.product_code
    JOIN member_total AS totals ON totals.member_code = candidate.member_code
    JOIN product_level ON product_level.product_code = candidate.product_code
    LEFT JOIN brands ON brands.member_code = candidate.member_code AND brands.brand_code = base.brand_code
    """,
    stored=False,
)

SOURCES = (*pair_relations(PRODUCT), *kin_relations(PRODUCT), PAIR_AFFINITY)


def _affinity() -> tuple[Draft, ...]:
    return (
        number(
            "affinity_brand_share",
            "share",
            "brand unknown",
            "(product, day) pairs of its brand / all the member's",
            f"{when('brand_code IS NOT NULL', 'coalesce(brand_times, 0)')} / times",
        ),
        number(
            "affinity_brand_days_since",
            "days",
            "the member never bought its brand",
            "as_of - last purchase day of its brand",
            f"{AS_OF} - brand_last_day",
        ),
        number(
            "price_level_distance",
            "ratio",
            "product or member price level unknown",
            "product_price_level - price_level",
            "price_distance",
        ),
    )


_FLAGS = (
    number("is_candidate", "flag", NEVER, "1 where a candidate source named the pair, else 0", "is_candidate"),
    number("is_launch", "flag", NEVER, "1 where it is a launch that the member has not bought yet", "is_launch"),
)

FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER_PRODUCT, "candidate_product", (*_FLAGS, *scores(PRODUCT))),
    *features(View.MEMBER_PRODUCT, "own_product_visit", (*history(PRODUCT), *rhythm(PRODUCT))),
    *features(View.MEMBER_PRODUCT, "own_product_standing", standing(PRODUCT)),
    *features(View.MEMBER_PRODUCT, "own_product_rank", ranks(PRODUCT)),
    *features(View.MEMBER_PRODUCT, "own_product_chance", chance(PRODUCT)),
    *features(View.MEMBER_PRODUCT, "own_product_category", kin_drafts(PRODUCT, "category")),
    *features(View.MEMBER_PRODUCT, "own_product_subcategory", kin_drafts(PRODUCT, "subcategory")),
    *features(View.MEMBER_PRODUCT, "pair_affinity", _affinity()),
    *features(View.MEMBER_PRODUCT, "product_event", events(PRODUCT)),
)
