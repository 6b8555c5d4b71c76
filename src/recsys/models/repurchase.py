from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from recsys.core.config import Settings
from recsys.core.errors import ConfigError
from recsys.core.frames import Example, Rows, Scores, TrainingSet
from recsys.core.task import FeatureSpec, Task, View
from recsys.models.boosted import Binned, Boosted, BoosterConfig
from recsys.models.calibration import EDGE, Calibrator, Predictor, fit_calibrator, predict_held_out, with_rows
from recsys.models.encoding import Encoder, Floats
from recsys.models.sampling import thin
from recsys.models.screening import strongest
from recsys.models.storage import Stored, load_model, save_model
from recsys.models.survival import Curves, fit_frailty, rearranged

FORMAT = "repurchase/2"
TOLD = (7, 14, 28)
INTERVAL = 0.8
LIFE_STAGE = ("stage_days_left", "stage_days_since_end", "stage_share_passed")
"""Features that few rows have and that say all about those; they are used however little they gain over all rows."""

TASK = Task(
    name="repurchase",
    horizon=56,
    keys=("member_id", "category"),
    views=(View.MEMBER_CATEGORY, View.MEMBER, View.CATEGORY),
    where="is_repeat_category = 1",
    scores=("score", "p7", "p14", "p28", "median_days", "low_days", "high_days"),
    metric="auc",
    censored_from=28,
)


class RepurchaseConfig(Settings):
    """Choices of the repurchase model.

    booster: how the trees of each knot grow.
    features: features kept for the trees, those with the largest gain in a quick first ensemble; those of life stages
        come beside them. Fewer are faster and, on rows that change with the seasons, no worse.
    screen_rows: rows, about, of that first ensemble.
    knots: days at which the curve is learnt, increasing; those beyond the horizon are left out and the horizon itself
        is always one.
    max_rows: training rows kept, drawn evenly, when there are more.
    trust: share of the shift of level that the calibration asks for, 0..1, that is made: that the weeks of its cutoff
        were busier or calmer than the model thought says as much of those weeks as of the model.
    cap_days: the largest number of days that is ever told.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig = BoosterConfig(rounds=60, leaves=15, learning_rate=0.08, min_leaf=100, bins=63)
    features: int = Field(default=40, ge=1)
    screen_rows: int = Field(default=50_000, ge=100)
    knots: tuple[int, ...] = (3, 7, 14, 28, 56)
    max_rows: int = Field(default=200_000, ge=100)
    trust: float = Field(default=0.5, ge=0, le=1)
    cap_days: int = Field(default=365, ge=1)
    folds: int = Field(default=3, ge=2)

    @field_validator("knots")
    @classmethod
    def _increasing(cls, knots: tuple[int, ...]) -> tuple[int, ...]:
        if not knots or list(knots) != sorted({*knots}) or knots[0] < 1:
            raise ValueError("knots are increasing whole days, the first at least 1")
        return knots


@dataclass(frozen=True)
class RepurchaseModel:
    """The curve of P(next purchase day in the category is within t days), and what is told of it.

    score and p14: within 14 days; p7, p28: within 7 and 28. median_days: the whole day, counted from as_of, by which a
    purchase is as likely as not; low_days, high_days: the first and last whole day of the shortest interval that holds
    it with a chance of about 80%. All come from the same curve, so they cannot contradict each other. Days beyond the
    last knot are extrapolated: see `Curves`.

    knots: days; boosted and calibrators: one a knot, for the chance of a purchase day in [as_of, as_of + knot).
    frailty: of the curves.
    """

    task: Task
    knots: tuple[int, ...]
    boosted: tuple[Boosted, ...]
    calibrators: tuple[Calibrator, ...]
    frailty: float
    cap_days: int

    def curves(self, rows: Rows) -> Curves:
        """Return the curve of each row."""
        raw = _predict(self.boosted, rows.values)
        pairs = zip(self.calibrators, raw.T, strict=True)
        chances = np.column_stack([calibrator.apply(column) for calibrator, column in pairs])
        reached = np.minimum(rearranged(chances), 1 - EDGE)
        return Curves(np.array(self.knots, dtype=np.float64), reached, self.frailty, self.cap_days)

    def score(self, rows: Rows) -> Scores:
        """Score each member and category."""
        curves = self.curves(rows)
        p7, p14, p28 = np.maximum.accumulate([curves.within(days) for days in TOLD], axis=0)
        low, high = curves.interval(INTERVAL)
        return Scores.of(rows, [p14, p7, p14, p28, np.clip(curves.day(0.5), low, high), low, high])

    @property
    def features(self) -> frozenset[str]:
        """Name what the model looks at: see `Selective`."""
        return frozenset[str]().union(*(part.encoder.names for part in self.boosted))

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the chance within 14 days: see `Explained`."""
        return self.boosted[self.knots.index(_scored(self.knots))].contributions(rows)

    def gain(self) -> dict[str, float]:
        """Tell what the splits gained: see `Grown`."""
        return self.boosted[self.knots.index(_scored(self.knots))].gain()

    def save(self, folder: Path) -> None:
        """Write one ensemble a knot, and the calibrations."""
        state = {
            "knots": list(self.knots),
            "calibrators": [calibrator.to_data() for calibrator in self.calibrators],
            "frailty": self.frailty,
            "cap_days": self.cap_days,
        }
        names = [_name(knot) for knot in self.knots]
        save_model(folder, FORMAT, Stored(state, dict(zip(names, self.boosted, strict=True))))


@dataclass(frozen=True)
class RepurchaseTrainer:
    """One LightGBM a knot on the rows observed for that long, calibrated on the last such cutoff, then grown on all.

    A row whose labels end before a knot says nothing about that knot, and weighs nothing there only: the end is fixed
    by the cutoff, so that such censoring tells nothing of the member. Nothing after the horizon is looked at.
    Knots that are judged by the same cutoff share one calibration, so that a busy week moves them together and not
    against each other. Text features are left out: they cost time and gain nothing beside the numbers.
    """

    config: RepurchaseConfig

    def fit(self, training: TrainingSet) -> RepurchaseModel:
        """Fit; `MissingError` when no cutoff has a row, `ConfigError` when none was observed for the first knot."""
        training = with_rows(training)
        knots = self._knots(training)
        calibrators: list[Calibrator] = []
        for part, reached in _judged(training, knots):
            held = predict_held_out(part, partial(self._predictor, knots=reached), folds=self.config.folds)
            outcomes = [_outcome(held.labels, knot)[1] for knot in reached]
            raw = held.raw.T.ravel()
            found = fit_calibrator(raw, np.concatenate(outcomes)).shifting(raw, self.config.trust)
            calibrators += [found] * len(reached)
        days = held.labels["days"].to_numpy(dtype=np.float64)
        frailty = fit_frailty(found.apply(held.raw[:, -1]), days, float(knots[-1]))
        boosted = self._grow(training, knots)
        return RepurchaseModel(training.task, knots, boosted, tuple(calibrators), frailty, self.config.cap_days)

    def _knots(self, training: TrainingSet) -> tuple[int, ...]:
        """Knots up to the horizon that some cutoff was observed for."""
        horizon = training.task.horizon
        wanted = sorted({*(knot for knot in self.config.knots if knot < horizon), horizon})
        observed = float(training.y["observed"].max())
        knots = tuple(knot for knot in wanted if knot <= observed)
        if not knots:
            raise ConfigError(
                "horizon", f"data ends {observed:.0f} days after the first cutoff, before day {wanted[0]}"
            )
        return knots

    def _grow(self, training: TrainingSet, knots: tuple[int, ...]) -> tuple[Boosted, ...]:
        training = thin(training, self.config.max_rows, seed=self.config.booster.seed)
        specs = self._strongest(training, knots)
        parts = [example.rows.values for example in training.examples]
        encoder = Encoder.learn(specs, parts)
        binned = Binned(encoder, encoder.encode(parts), self.config.booster)
        outcomes = (_outcome(training.y, knot) for knot in knots)
        return tuple(binned.grow(y, seen.astype(np.float64)) for seen, y in outcomes)

    def _strongest(self, training: TrainingSet, knots: tuple[int, ...]) -> tuple[FeatureSpec, ...]:
        """Choose the features that gain most for the knot that is scored, and those of life stages."""
        few = thin(training, self.config.screen_rows, seed=self.config.booster.seed)
        seen, y = _outcome(few.y, _scored(knots))
        return strongest(
            training.specs,
            [example.rows.values for example in few.examples],
            y,
            seen.astype(np.float64),
            self.config.booster,
            keep=self.config.features,
            always=LIFE_STAGE,
        )

    def _predictor(self, training: TrainingSet, knots: tuple[int, ...]) -> Predictor:
        boosted = self._grow(training, knots)
        return lambda rows: _predict(boosted, rows.values)


def trainer(config: Settings) -> RepurchaseTrainer:
    """Build the trainer from its settings."""
    return RepurchaseTrainer(RepurchaseConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> RepurchaseModel:
    """Read what `RepurchaseModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> RepurchaseModel:
        knots = tuple(int(knot) for knot in stored.state["knots"])
        boosted = tuple(stored.boosted[_name(knot)] for knot in knots)
        calibrators = tuple(Calibrator.from_data(data) for data in stored.state["calibrators"])
        frailty, cap_days = float(stored.state["frailty"]), int(stored.state["cap_days"])
        return RepurchaseModel(task, knots, boosted, calibrators, frailty, cap_days)

    return load_model(folder, FORMAT, build)


def _name(knot: int) -> str:
    return f"within_{knot}"


def _scored(knots: tuple[int, ...]) -> int:
    """Return the knot that comes nearest to what `score` promises."""
    return min(knots, key=lambda days: abs(days - TOLD[1]))


def _predict(boosted: tuple[Boosted, ...], values: pd.DataFrame) -> Floats:
    """(n, h) raw chances; the ensembles share one encoder, so the rows are encoded once."""
    matrix = boosted[0].encoder.encode([values])
    return np.column_stack([part.predict_encoded(matrix) for part in boosted])


def _judged(training: TrainingSet, knots: tuple[int, ...]) -> Iterator[tuple[TrainingSet, tuple[int, ...]]]:
    """Group knots, in order, by the last cutoff observed for them; yield the cutoffs that teach and judge each."""

    def last(knot: int) -> int:
        return max(at for at, example in enumerate(training.examples) if _observed(example) >= knot)

    for at, group in groupby(knots, last):
        reached = tuple(group)
        judge = training.examples[at]
        earlier = (example.until(judge.rows.as_of) for example in training.examples[:at])
        teachers = tuple(part for part in earlier if part is not None and _observed(part) >= reached[-1])
        yield TrainingSet((*teachers, judge)), reached


def _observed(example: Example) -> float:
    """Days that all rows of a cutoff were observed for."""
    return float(example.labels.y["observed"].min())


def _outcome(labels: pd.DataFrame, knot: int) -> tuple[np.ndarray, Floats]:
    """Which rows were observed for `knot` days, and whether (0 or 1) their next purchase day came before it."""
    seen = labels["observed"].to_numpy() >= knot
    return seen, (labels["days"].to_numpy(dtype=np.float64) < knot).astype(np.float64)
