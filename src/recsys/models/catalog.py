from pathlib import Path

from recsys.core.config import Settings
from recsys.core.task import Task
from recsys.models import churn, new_product, recommend, repurchase
from recsys.models.contract import Model, Recipe, Trainer


def _unbuilt(config: Settings) -> Trainer:
    raise NotImplementedError


def _unwritten(folder: Path, task: Task) -> Model:
    raise NotImplementedError


CATALOG: dict[str, Recipe] = {
    module.TASK.name: Recipe(module.TASK, Settings, _unbuilt, _unwritten)
    for module in (repurchase, churn, new_product, recommend)
}
