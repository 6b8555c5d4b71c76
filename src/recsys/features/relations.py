"""What is computed over all members at once, and what of each member alone, so that some can be taken at a time.

The order within each list is one in which every relation follows those that it reads.
"""

from recsys.features import (
    candidates,
    category,
    facts,
    kin,
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
    totals,
    visits,
)
from recsys.features.expression import Relation
from recsys.features.level import PRODUCT, SUBCATEGORY, Level

BASES: tuple[Relation, ...] = (
    *facts.BASES,
    member.MEMBER_SPINE,
    category.CATEGORY_SPINE,
    subcategory.SUBCATEGORY_SPINE,
    product.PRODUCT_SPINE,
)
"""Who and what there is: first, over all."""

LINES: tuple[Relation, ...] = facts.LINES
"""What the tables say of each member line by line: read where it is needed, and kept nowhere."""

FACTS: tuple[Relation, ...] = (*LINES, *facts.FACTS, *life_stage.SOURCES, *visits.RUNS)
"""What each member did, from the tables: of some members at a time."""

KEPT: tuple[str, ...] = (*(fact.name for fact in facts.FACTS), life_stage.MEMBER_CATEGORY_NEED.name)
"""The facts that are kept of all members, each row with its `member_code`."""

COUNTED: tuple[str, ...] = tuple(run.name for run in visits.RUNS)
"""The facts that are counts over the members they were taken of, and add up."""

SHOP: tuple[Relation, ...] = (
    facts.CATEGORY_PRICE,
    *category.SOURCES,
    *product.SOURCES,
    *subcategory.SOURCES,
    member_category.CATEGORY_RHYTHM,
    member_product.PRODUCT_LEVEL,
    visits.PRODUCT_BASKET_LINE,
    candidates.ACTIVE_MEMBER,
    *candidates.HISTORIES,
)
"""What looks across members: once, over the facts of all."""

MEMBERS: tuple[Relation, ...] = (
    *member.SOURCES,
    *member_basket.SOURCES,
    *member_profile.SOURCES,
    *visits.SOURCES,
    *member_category.SOURCES,
    *candidates.HISTORIES,
    *totals.SOURCES,
    *kin.SOURCES,
    product.PRODUCT_EVENT,
    subcategory.SUBCATEGORY_EVENT,
)
"""What is told of each member alone, from the facts of some members and what looks across all."""

PAIRS: dict[Level, tuple[Relation, ...]] = {
    SUBCATEGORY: member_subcategory.SOURCES,
    PRODUCT: (*member_product.SOURCES, *launch_affinity.SOURCES),
}
"""What is told of members and their candidates, from the candidates of some members."""
