"""The module that `feast apply` reads; it takes objects from a module's names, so every object is given one."""

from feast import Project

from features.entities import ENTITIES
from features.services import feature_services
from features.settings import chosen_home, is_on_spark
from features.views import feature_views

PROJECT = Project(name="recsys", description="Features of members, products, categories and their pairs")

_home = chosen_home()
_home.feast.mkdir(parents=True, exist_ok=True)  # Feast makes the registry's own folder, but none above it

_views = feature_views(_home, on_spark=is_on_spark())
globals().update({f"entity_{name}": entity for name, entity in ENTITIES.items()})
globals().update({f"view_{view}": feature_view for view, feature_view in _views.items()})
globals().update({f"service_{name}": service for name, service in feature_services(_views).items()})
