from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.core.errors import MissingError
from recsys.core.frames import Rows, TrainingSet
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.peer import Learned, Rule
from recsys.models.encoding import Encoder
from recsys.models.linear import Linear, fit_linear


def logistic(name: str, source: str, features: Sequence[str]) -> Rule:
    """Logistic regression of `y` on a few features: numbers on a log scale, standardised; categories as indicators."""

    def learn(training: TrainingSet) -> Learned:
        chosen = [spec for spec in training.specs if spec.name in features]
        columns = [spec.name for spec in chosen]
        if missing := sorted(set(features) - set(columns)):
            raise MissingError(f"feature {missing[0]}", "recsys features")
        parts: list[pd.DataFrame] = [example.rows.values[columns] for example in training.examples]
        y = training.y["y"].to_numpy(np.float64)
        return fit_linear(Encoder.learn(chosen, parts), parts, y, np.ones(len(y))).to_data()

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        return [Linear.from_data(dict(learned)).predict(rows.values)]

    return Rule(name, source, learn, apply)
