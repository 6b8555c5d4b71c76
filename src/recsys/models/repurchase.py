from recsys.core.task import Task, View

TASK = Task(
    name="repurchase",
    horizon=56,
    keys=("member_id", "category"),
    views=(View.MEMBER_CATEGORY, View.MEMBER, View.CATEGORY),
    where="is_repeating = 1",
    scores=("score", "p7", "p14", "p28", "median_days", "low_days", "high_days"),
    metric="auc",
)
