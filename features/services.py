from collections.abc import Mapping

from feast import FeatureService, FeatureView

from features.views import SERVED
from recsys.core.task import View
from recsys.models.catalog import CATALOG


def feature_services(views: Mapping[View, FeatureView]) -> dict[str, FeatureService]:
    """Build one service a task, and `serving`: what is kept online."""
    wanted = {name: recipe.task.views for name, recipe in CATALOG.items()} | {"serving": SERVED}
    return {
        name: FeatureService(name=name, features=[views[view] for view in chosen]) for name, chosen in wanted.items()
    }
