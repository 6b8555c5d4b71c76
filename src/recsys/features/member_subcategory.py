"""Features of a member and a subcategory that the member may be offered."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import features
from recsys.features.kin import kin_drafts, kin_relations
from recsys.features.level import SUBCATEGORY
from recsys.features.pair import chance, events, history, ranks, rhythm, standing
from recsys.features.pair_relation import pair_relations
from recsys.features.sources import scores

SOURCES = (*pair_relations(SUBCATEGORY), *kin_relations(SUBCATEGORY))

FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER_SUBCATEGORY, "candidate_subcategory", scores(SUBCATEGORY)),
    *features(View.MEMBER_SUBCATEGORY, "own_subcategory_visit", (*history(SUBCATEGORY), *rhythm(SUBCATEGORY))),
    *features(View.MEMBER_SUBCATEGORY, "own_subcategory_standing", standing(SUBCATEGORY)),
    *features(View.MEMBER_SUBCATEGORY, "own_subcategory_rank", ranks(SUBCATEGORY)),
    *features(View.MEMBER_SUBCATEGORY, "own_subcategory_chance", chance(SUBCATEGORY)),
    *features(View.MEMBER_SUBCATEGORY, "own_subcategory_category", kin_drafts(SUBCATEGORY, "category")),
    *features(View.MEMBER_SUBCATEGORY, "subcategory_event", events(SUBCATEGORY)),
)
"""Every row is a candidate: launches are of products alone."""
