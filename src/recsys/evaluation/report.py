import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np

from recsys.core.errors import ConfigError
from recsys.evaluation.backtest import Backtest
from recsys.evaluation.bootstrap import RESAMPLES, Interval, interval, member_weights
from recsys.evaluation.calibration import Gain, Reliability, gain, reliability
from recsys.evaluation.judged import Floats, Judged, judge, stacked
from recsys.evaluation.metrics import Metric, metric_of, metrics_of

Verdict = Literal["beats", "no difference", "worse"]
REPURCHASE_DAYS = 14  # what `score` promises in the repurchase task


@dataclass(frozen=True)
class Cutoff:
    """One test cutoff.

    trains: ISO days of the training cutoffs. rows: rows tested. positives: how many of them happened.
    """

    test: str
    trains: tuple[str, ...]
    rows: int
    positives: int


@dataclass(frozen=True)
class Scorer:
    """What one scorer got.

    per_cutoff: ISO day -> metric -> value; pooled: metric -> value with its interval over members (no interval where
    resampling makes no sense); NaN where a metric is undefined. Seconds are sums over the folds.
    """

    name: str
    per_cutoff: Mapping[str, Mapping[str, float]]
    pooled: Mapping[str, Interval]
    fit_seconds: float
    score_seconds: float


@dataclass(frozen=True)
class Comparison:
    """The model against one peer in one metric.

    difference: model minus peer, with its paired interval over members.
    verdict: "beats" or "worse" when the interval leaves out 0 on the better or the worse side.
    """

    metric: str
    peer: str
    difference: Interval
    verdict: Verdict


@dataclass(frozen=True)
class Report:
    """All that a back-test says of a model beside its peers.

    metric: the one that decides.
    reliability, gain: of all cutoffs' rows together, by scorer. Scores that are no probabilities have no reliability,
        nor do peers where the task's metrics do not judge probabilities.
    versions: what was measured (data digest, code version ...).
    """

    task: str
    horizon: int
    metric: str
    model: str
    cutoffs: tuple[Cutoff, ...]
    scorers: tuple[Scorer, ...]
    comparisons: tuple[Comparison, ...]
    reliability: Mapping[str, Reliability]
    gain: Mapping[str, Gain]
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def scorer(self, name: str) -> Scorer:
        """Return one scorer by name."""
        return next(scorer for scorer in self.scorers if scorer.name == name)

    @property
    def flat(self) -> dict[str, float]:
        """The model's numbers for a tracking system: metric, metric_low, metric_high; undefined ones left out."""
        numbers: dict[str, float] = {}
        for name, value in self.scorer(self.model).pooled.items():
            numbers |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        return {name: value for name, value in numbers.items() if math.isfinite(value)}


def build_report(
    test: Backtest,
    model: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    versions: Mapping[str, str] | None = None,
) -> Report:
    """Judge all scorers of a back-test and compare `model` with each of the others.

    `ConfigError` when the back-test has no scorer of that name.
    """
    if model not in test.names:
        raise ConfigError("model", f"{model!r} is not among {', '.join(test.names)}")
    judged = judge(test)
    weights = member_weights(judged[model][0].ground.members, resamples=resamples, seed=seed)
    metrics = metrics_of(test.task.name)
    samples = {
        name: {metric.name: _samples(metric, parts, weights) for metric in metrics} for name, parts in judged.items()
    }
    scorers = tuple(_scorer(test, name, judged[name], metrics, samples[name]) for name in test.names)
    pooled = {scorer.name: scorer.pooled for scorer in scorers}
    comparisons = tuple(
        _compare(metric, peer, pooled[model], pooled[peer], samples[model][metric.name] - samples[peer][metric.name])
        for peer in test.names
        if peer != model
        for metric in metrics
        if metric.better and metric.resampled
    )
    every = {name: stacked(parts) for name, parts in judged.items()}
    y = {name: _outcome(part) for name, part in every.items()}
    return Report(
        task=test.task.name,
        horizon=test.task.horizon,
        metric=metric_of(test.task.name, test.task.metric).name,
        model=model,
        cutoffs=tuple(_cutoff(test, number, part) for number, part in enumerate(judged[model])),
        scorers=scorers,
        comparisons=comparisons,
        reliability={
            name: reliability(part.score(), y[name])
            for name, part in _model_first(every, model).items()
            if _probable(part) and (name == model or "ece" in pooled[model])
        },
        gain={name: gain(part.score(), y[name]) for name, part in _model_first(every, model).items()},
        notes=test.notes,
        versions=dict(versions or {}),
    )


def to_json(report: Report) -> str:
    """Write a report as JSON; undefined numbers are null."""
    return json.dumps(_plain(asdict(report)), indent=1, ensure_ascii=False, allow_nan=False)


def _samples(metric: Metric, parts: Sequence[Judged], weights: Floats) -> Floats:
    return metric.weigh(parts, weights) if metric.resampled else np.full(len(weights), np.nan)


def _scorer(
    test: Backtest, name: str, parts: Sequence[Judged], metrics: Sequence[Metric], samples: Mapping[str, Floats]
) -> Scorer:
    results = [fold.results[name] for fold in test.folds]
    return Scorer(
        name=name,
        per_cutoff={
            str(fold.fold.test): {metric.name: metric.value([part]) for metric in metrics}
            for fold, part in zip(test.folds, parts, strict=True)
        },
        pooled={metric.name: interval(metric.value(parts), samples[metric.name]) for metric in metrics},
        fit_seconds=sum(result.fit_seconds for result in results),
        score_seconds=sum(result.score_seconds for result in results),
    )


def _compare(
    metric: Metric, peer: str, ours: Mapping[str, Interval], theirs: Mapping[str, Interval], samples: Floats
) -> Comparison:
    difference = interval(ours[metric.name].value - theirs[metric.name].value, samples)
    return Comparison(metric.name, peer, difference, verdict_of(difference, metric.better))


def verdict_of(difference: Interval, better: int) -> Verdict:
    """Read a difference's interval; better is 1 when larger values are better, -1 when smaller ones are."""
    low, high = sorted((difference.low * better, difference.high * better))
    if low > 0:
        return "beats"
    return "worse" if high < 0 else "no difference"


def _cutoff(test: Backtest, number: int, part: Judged) -> Cutoff:
    fold = test.folds[number].fold
    return Cutoff(
        str(fold.test), tuple(str(day) for day in fold.trains), len(part.ground), int(np.nansum(_outcome(part)))
    )


def _outcome(part: Judged) -> Floats:
    return part.ground.outcome(None if "y" in part.ground.rows else REPURCHASE_DAYS)


def _probable(part: Judged) -> bool:
    score = part.score()
    return len(score) > 0 and bool(((score >= 0) & (score <= 1)).all())


def _model_first(parts: Mapping[str, Judged], model: str) -> dict[str, Judged]:
    return {model: parts[model], **{name: part for name, part in parts.items() if name != model}}


def _plain(value: object) -> object:
    """Turn what JSON cannot hold into what it can."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else None
    return value
