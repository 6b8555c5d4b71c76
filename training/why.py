"""What moves a member's churn score most: the families of features behind it, as a publication tells them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import CHURN_REASONS, ChurnReason
from recsys.core.folders import text_digest
from recsys.core.frames import Rows
from recsys.models.contract import Explained

ROWS_AT_ONCE = 20_000

FAMILIES: Mapping[ChurnReason, tuple[str, ...]] = {
    ChurnReason.RECENCY: ("days_since_purchase", "overdue_ratio", "weighted_overdue_ratio"),
    ChurnReason.FREQUENCY: (
        "purchase_days",
        "purchase_days_7d",
        "purchase_days_30d",
        "purchase_days_90d",
        "purchase_days_365d",
        "active_weeks_share_84d",
        "mean_gap",
        "weighted_gap",
        "last_gap",
        "longest_gap",
        "sd_gap",
    ),
    ChurnReason.TREND: ("purchase_days_trend_30d", "money_trend_90d"),
    ChurnReason.TENURE: ("days_since_first_purchase", "days_since_registration"),
    ChurnReason.SPEND: (
        "money",
        "money_7d",
        "money_30d",
        "money_90d",
        "money_365d",
        "money_per_purchase_day",
        "money_per_purchase_day_90d",
        "largest_money_per_day",
        "quantity_per_purchase_day",
        "lines_per_purchase_day",
        "price_level",
    ),
    ChurnReason.BREADTH: (
        "categories",
        "categories_90d",
        "brands",
        "brands_90d",
        "products",
        "products_90d",
        "repeat_product_share",
        "repeat_category_share",
        "main_category",
        "main_category_share",
    ),
    ChurnReason.NOVELTY: (
        "exploration_rate_90d",
        "category_exploration_rate_90d",
        "launch_adoption_rate",
        "launches_bought_365d",
    ),
    ChurnReason.PROMOTION: (
        "discount_share",
        "discount_share_90d",
        "discounted_line_share",
        "coupon_line_share",
        "coupon_lines_90d",
        "redemptions_90d",
        "redemptions_365d",
        "days_since_redemption",
    ),
    ChurnReason.CONTACT: ("contacts_30d", "contacts_365d", "days_since_contact", "redemptions_per_contact_365d"),
    ChurnReason.VISIT: (
        "views_30d",
        "favourites_30d",
        "carts_30d",
        "searches_30d",
        "check_ins_30d",
        "events_90d",
        "days_since_event",
        "days_since_cart",
        "viewed_products_30d",
    ),
    ChurnReason.HABIT: (
        "morning_share",
        "afternoon_share",
        "evening_share",
        "weekend_share",
        "favourite_hour",
        "favourite_hour_share",
        "favourite_weekday",
        "favourite_weekday_share",
        "channels",
        "main_channel",
        "main_channel_share",
        "stores",
        "main_store",
        "main_store_share",
    ),
    ChurnReason.RETURNS: ("return_rate", "days_since_return"),
    ChurnReason.PROFILE: (
        "age_years",
        "child_age_months",
        "points_balance",
        "gender",
        "city",
        "source_channel",
        "tier",
    ),
}
"""Features that say one thing to people; what is in none of them is `ChurnReason.OTHER`."""

DIGEST = text_digest(repr(FAMILIES), str(CHURN_REASONS))
"""Changes when the same scores would be explained otherwise."""


def explained(model: Explained, rows: Rows) -> pd.DataFrame:
    """(n, 2) `why`, the codes of the families that move each row's score most, and `why_share`, their weight.

    Contributions are added up within a family. Told are, largest first, up to `CHURN_REASONS` families that move the
    score the way all of them together move it from the average: up for a member above it, down for one below. A share
    is of all that moves it that way. Rows are explained in blocks, so that memory does not grow with them.
    """
    families = _families(rows)
    parts = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        mask = np.zeros(len(rows), dtype=bool)
        mask[start : start + ROWS_AT_ONCE] = True
        parts.append(_told(model.contributions(rows.take(mask)) @ families))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"why": [], "why_share": []}, dtype=object)


def _families(rows: Rows) -> "np.ndarray":
    """(f, families) 1 where a feature is of a family, in the order of `ChurnReason`."""
    family = {name: reason for reason, names in FAMILIES.items() for name in names}
    place = {reason: at for at, reason in enumerate(ChurnReason)}
    held = np.zeros((len(rows.specs), len(place)))
    for at, spec in enumerate(rows.specs):
        held[at, place[family.get(spec.name, ChurnReason.OTHER)]] = 1
    return held


def _told(shares: "np.ndarray") -> pd.DataFrame:
    """Pick each row's reasons out of (n, families) contributions."""
    reasons = [str(reason) for reason in ChurnReason]
    upward = np.where(shares.sum(axis=1, keepdims=True) >= 0, 1.0, -1.0)
    pushes = np.maximum(shares * upward, 0)
    total = np.maximum(pushes.sum(axis=1, keepdims=True), 1e-12)
    order = np.argsort(-pushes, axis=1, kind="stable")[:, :CHURN_REASONS]
    weight = np.take_along_axis(pushes / total, order, axis=1)
    return pd.DataFrame(
        {
            "why": [
                [reasons[at] for at, share in zip(row, told, strict=True) if share > 0]
                for row, told in zip(order, weight, strict=True)
            ],
            "why_share": [[float(share) for share in told if share > 0] for told in weight],
        }
    )
