from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.core.config import Settings
from recsys.core.frames import Example, Labels, Rows, Scores, TrainingSet
from recsys.core.task import Task, View
from recsys.models.boosted import BoosterConfig
from recsys.models.calibration import take, with_rows
from recsys.models.encoding import Floats
from recsys.models.recommend_ranker import Ranker, RankerConfig, fit_ranker, item_of, known
from recsys.models.storage import Stored, load_model, save_model

NUDGE = 1e-9
HALF_STALE = 100.0
RANKERS = ("basket", "novelty")

TASK = Task(
    name="recommend",
    horizon=28,
    keys=("member_id", "product_id"),
    views=(View.MEMBER_PRODUCT, View.PRODUCT, View.MEMBER),
    where="is_candidate = 1",
    scores=("score", "discovery"),
    metric="recall_at_10",
)

SUBCATEGORY_TASK = Task(
    name="recommend_subcategory",
    horizon=28,
    keys=("member_id", "subcategory"),
    views=(View.MEMBER_SUBCATEGORY, View.SUBCATEGORY, View.MEMBER),
    where="true",
    scores=("score", "discovery"),
    metric="recall_at_10",
)


class RecommendConfig(RankerConfig):
    """Choices of both rankers: those of the next basket, and below what differs for discoveries.

    novelty_booster: how the trees for first purchases grow; what was never bought says less, so they are smaller.
    novelty_rows: rows that teach them.
    """

    booster: BoosterConfig = BoosterConfig(rounds=60, leaves=31, learning_rate=0.1, min_leaf=100)
    novelty_booster: BoosterConfig = BoosterConfig(
        rounds=40, leaves=15, learning_rate=0.1, min_leaf=300, feature_share=0.4
    )
    novelty_rows: int = 200_000

    @property
    def novelty(self) -> RankerConfig:
        """Choices of the ranker of first purchases: the basket's seed and threads hold for it too."""
        shared = {name: getattr(self.booster, name) for name in ("seed", "threads")}
        booster = BoosterConfig(**{**self.novelty_booster.model_dump(), **shared})
        return RankerConfig(
            booster=booster,
            features=self.features,
            screen=self.screen,
            linear_share=self.linear_share,
            penalty=self.penalty,
            foremost=None,
            max_rows=self.novelty_rows,
            linear_rows=self.linear_rows,
            folds=self.folds,
        )


@dataclass(frozen=True)
class RecommendModel:
    """What lies in a member's next basket, and what the member will buy for the first time.

    score: calibrated probability that the item lies in the member's next basket, all that is bought on the first
        purchase day of [as_of, as_of + horizon). Of items with equal probability the one bought more recently stands
        higher, by a billionth at most.
    discovery: calibrated probability that a member who never bought the item buys it in [as_of, as_of + horizon); 0
        for items bought before, which cannot be discovered.
    """

    task: Task
    basket: Ranker
    novelty: Ranker

    def score(self, rows: Rows) -> Scores:
        """Score each member and candidate."""
        score = np.clip(self.basket.chance(rows) - NUDGE * _staleness(rows), 0, 1)
        return Scores.of(rows, [score, np.where(_own(rows), 0.0, self.novelty.chance(rows))])

    @property
    def features(self) -> frozenset[str]:
        """Name what the model looks at: see `Selective`."""
        return frozenset({_age_name(self.task)}).union(*(part.blend.features for part in (self.basket, self.novelty)))

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to `score`: see `Explained`."""
        return self.basket.blend.contributions(rows)

    def gain(self) -> dict[str, float]:
        """Tell what the splits of the basket's trees gained: see `Grown`."""
        return self.basket.blend.gain()

    def save(self, folder: Path) -> None:
        """Write both rankers."""
        rankers = dict(zip(RANKERS, (self.basket, self.novelty), strict=True))
        state = {name: ranker.to_data() for name, ranker in rankers.items()}
        save_model(folder, _format(self.task), Stored(state, {name: part.trees for name, part in rankers.items()}))


@dataclass(frozen=True)
class RecommendTrainer:
    """Two rankers of a member's candidates: one for the next basket, one for first purchases.

    The first learns from `y` (in the next basket) of all candidates; the second from `soon` (bought on any day of the
    horizon) of those that the member never bought, or of all where there are none such.
    """

    config: RecommendConfig

    def fit(self, training: TrainingSet) -> RecommendModel:
        """Fit; `MissingError` when no cutoff has a row."""
        training = with_rows(training)
        basket = fit_ranker(training, self.config)
        return RecommendModel(training.task, basket, fit_ranker(_never_bought(training), self.config.novelty))


def trainer(config: Settings) -> RecommendTrainer:
    """Build the trainer from its settings."""
    return RecommendTrainer(RecommendConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> RecommendModel:
    """Read what `RecommendModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> RecommendModel:
        basket, novelty = (Ranker.from_data(stored.state[name], stored.boosted[name]) for name in RANKERS)
        return RecommendModel(task, basket, novelty)

    return load_model(folder, _format(task), build)


def _format(task: Task) -> str:
    return f"{task.name}/3"


def _never_bought(training: TrainingSet) -> TrainingSet:
    """Keep the candidates that members never bought, labelled by whether they bought them soon."""
    every = [_soon(example) for example in training.examples]
    new = [take(example, ~_own(example.rows)) for example in every]
    return TrainingSet(tuple(new if any(len(example.rows) for example in new) else every))


def _soon(example: Example) -> Example:
    y = example.labels.y[["soon"]].rename(columns={"soon": "y"})
    return Example(example.rows, Labels(y, example.labels.window))


def _own(rows: Rows) -> "np.ndarray":
    """(n,) whether the member bought the item before."""
    return np.asarray(np.isfinite(_age(rows)))


def _staleness(rows: Rows) -> Floats:
    """(n,) in [0, 1]: 0 for an item bought just now, near 1 for one bought long ago, 1 for one never bought."""
    age = _age(rows)
    return 1 - HALF_STALE / (age + HALF_STALE)


def _age(rows: Rows) -> Floats:
    """(n,) days since the member bought the item, infinite where never."""
    return known(rows, _age_name(rows.task), unknown=np.inf)


def _age_name(task: Task) -> str:
    return f"own_{item_of(task)}_days_since_purchase"
