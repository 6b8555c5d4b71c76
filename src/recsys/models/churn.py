from recsys.core.task import Task, View

TASK = Task(
    name="churn",
    horizon=28,
    keys=("member_id",),
    views=(View.MEMBER,),
    where="days_since_purchase < 84",
    scores=("score",),
    metric="auc",
)
