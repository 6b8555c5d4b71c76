from recsys.core.task import Task, View

TASK = Task(
    name="recommend",
    horizon=28,
    keys=("member_id", "product_id"),
    views=(View.MEMBER_PRODUCT, View.PRODUCT, View.MEMBER),
    where="is_candidate = 1",
    scores=("score",),
    metric="recall_at_10",
)
