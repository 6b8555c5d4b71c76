from recsys.models import churn, new_product, recommend, repurchase, value
from recsys.models.contract import Recipe

CATALOG: dict[str, Recipe] = {
    recipe.task.name: recipe
    for recipe in (
        Recipe(repurchase.TASK, repurchase.RepurchaseConfig, repurchase.trainer, repurchase.load),
        Recipe(churn.TASK, churn.ChurnConfig, churn.trainer, churn.load),
        Recipe(new_product.TASK, new_product.NewProductConfig, new_product.trainer, new_product.load),
        Recipe(recommend.TASK, recommend.RecommendConfig, recommend.trainer, recommend.load),
        Recipe(recommend.SUBCATEGORY_TASK, recommend.RecommendConfig, recommend.trainer, recommend.load),
        Recipe(value.TASK, value.ValueConfig, value.trainer, value.load),
    )
}
"""Every model: to add one is to write one file and to add one line here."""
