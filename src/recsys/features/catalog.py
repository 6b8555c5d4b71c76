"""The one list of features; Feast views, training rows and served rows are all read off it."""

from collections.abc import Container

from recsys.core.task import FeatureSpec, View
from recsys.features import (
    category,
    launch_affinity,
    life_stage,
    member,
    member_basket,
    member_category,
    member_product,
    member_profile,
    member_subcategory,
    product,
    subcategory,
)

CATALOG: tuple[FeatureSpec, ...] = (
    *member.FEATURES,
    *member_basket.FEATURES,
    *member_profile.FEATURES,
    *category.FEATURES,
    *subcategory.FEATURES,
    *product.FEATURES,
    *member_category.FEATURES,
    *life_stage.FEATURES,
    *member_subcategory.FEATURES,
    *member_product.FEATURES,
    *launch_affinity.FEATURES,
)


def features_of(view: View, wanted: Container[str] | None = None) -> tuple[FeatureSpec, ...]:
    """Return the features of a view, in catalogue order; wanted: names, of which some may be others'; None = all."""
    return tuple(spec for spec in CATALOG if spec.view is view and (wanted is None or spec.name in wanted))
