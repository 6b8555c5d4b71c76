"""Which occasion an audience is for."""

from enum import StrEnum


class Scenario(StrEnum):
    """The occasions that templates exist for; `RULE` = none, the audience is a rule's; `LOOKALIKE` = none, a list's."""

    REPURCHASE = "repurchase_reminder"
    NEW_PRODUCT = "new_product_trial"
    WIN_BACK = "win_back"
    PROMOTION = "price_promotion"
    CROSS_SELL = "cross_sell"
    RULE = "rule"
    LOOKALIKE = "lookalike"
