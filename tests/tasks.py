"""Tasks over all that features tell of a pair, for tests of features without a model."""

from recsys.core.task import Task, View

REPURCHASE = Task(
    "repurchase",
    56,
    ("member_id", "category"),
    (View.MEMBER_CATEGORY, View.MEMBER, View.CATEGORY),
    "is_repeat_category = 1",
    ("score",),
    "auc",
)
RECOMMEND = Task(
    "recommend",
    28,
    ("member_id", "product_id"),
    (View.MEMBER_PRODUCT, View.PRODUCT, View.MEMBER, View.CATEGORY),
    "is_candidate = 1",
    ("score",),
    "ndcg",
)
