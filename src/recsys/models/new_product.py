from recsys.core.task import Task, View

TASK = Task(
    name="new_product",
    horizon=28,
    keys=("member_id", "product_id"),
    views=(View.MEMBER_PRODUCT, View.MEMBER, View.PRODUCT),
    where="is_launch = 1",
    scores=("score",),
    metric="pr_auc",
)
