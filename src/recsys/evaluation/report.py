import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from recsys.core.errors import ConfigError
from recsys.core.time import AsOf
from recsys.evaluation.backtest import Backtest
from recsys.evaluation.bootstrap import RESAMPLES, Interval, Verdict, interval, member_weights, verdict_of
from recsys.evaluation.calibration import Gain, Reliability, gain, reliability
from recsys.evaluation.card import Card, card_of
from recsys.evaluation.importance import Explanation, Importance, importances
from recsys.evaluation.judged import Floats, Judged, judge, stacked
from recsys.evaluation.metrics import Metric, metric_of, metrics_of
from recsys.evaluation.slices import Slice, slices

REPURCHASE_DAYS = 14  # what `score` promises in the repurchase task
CALIBRATION = ("ece", "decile_error")  # a task with one of these has its peers' promises judged too


@dataclass(frozen=True)
class Cutoff:
    """One test cutoff.

    trains: ISO days of the training cutoffs. rows: rows tested. positives: in how many of them it happened, or an
    amount came.
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

    metric: the one that decides. of: what a score speaks of, "probability" or "money".
    card: what the model is for and where it ends.
    slices: the deciding metric on parts of the rows, beside the best peer.
    importance: the features by what they add to the scores of the newest test; explanation: what that was read off,
        for pictures alone; both empty when the back-test explained nothing.
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
    card: Card
    of: str = "probability"
    slices: tuple[Slice, ...] = ()
    importance: tuple[Importance, ...] = ()
    explanation: Explanation | None = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def scorer(self, name: str) -> Scorer:
        """Return one scorer by name."""
        return next(scorer for scorer in self.scorers if scorer.name == name)

    @property
    def best_peer(self) -> str:
        """The peer with the best pooled deciding metric; "" when there is none."""
        better = metric_of(self.task, self.metric).better
        known = [one for one in self.scorers if one.name != self.model and math.isfinite(one.pooled[self.metric].value)]
        return max(known, key=lambda one: better * one.pooled[self.metric].value).name if known else ""

    def against(self, peer: str) -> Comparison:
        """Return the comparison with a peer in the deciding metric."""
        return next(found for found in self.comparisons if (found.peer, found.metric) == (peer, self.metric))

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
    taught: Sequence[AsOf] = (),
) -> Report:
    """Judge all scorers of a back-test and compare `model` with each of the others.

    versions: what was measured. taught: cutoffs that taught the model that is put to use, for its card.
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
    report = Report(
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
            if _promises(part) and (name == model or any(metric in pooled[model] for metric in CALIBRATION))
        },
        gain={name: gain(part.score(), y[name]) for name, part in _model_first(every, model).items()},
        card=card_of(test.task, (), taught),
        of="money" if "money" in every[model].ground.rows else "probability",
        importance=importances(test.explanation) if test.explanation else (),
        explanation=test.explanation,
        notes=test.notes,
        versions=dict(versions or {}),
    )
    parts = slices(test, model, report.best_peer, resamples=resamples, seed=seed)
    report = replace(report, slices=parts)
    return replace(report, card=card_of(test.task, _findings(report), taught))


def to_json(report: Report) -> str:
    """Write a report as JSON, without its explanation; undefined numbers are null."""
    return json.dumps(_plain(asdict(replace(report, explanation=None))), indent=1, ensure_ascii=False, allow_nan=False)


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


def _findings(report: Report) -> list[str]:
    """Say in words where the measurement found the model wanting."""
    found = [f"{note[0].upper()}{note[1:]}." for note in report.notes]
    for peer in (scorer.name for scorer in report.scorers if scorer.name != report.model):
        known = report.against(peer)
        gap = known.difference
        if known.verdict != "beats" and math.isfinite(gap.low):
            word = "is worse than" if known.verdict == "worse" else "does not beat"
            found.append(
                f"In {report.metric} it {word} {peer}: the difference is {gap.value:+.4f} "
                f"[{gap.low:+.4f}, {gap.high:+.4f}]."
            )
    worse = [f"{part.cut}, {part.part}" for part in report.slices if part.verdict == "worse"]
    return [*found, *(f"On some rows it is worse than {report.best_peer}: {name}." for name in worse)]


def _cutoff(test: Backtest, number: int, part: Judged) -> Cutoff:
    fold = test.folds[number].fold
    return Cutoff(
        str(fold.test), tuple(str(day) for day in fold.trains), len(part.ground), int((_outcome(part) > 0).sum())
    )


def _outcome(part: Judged) -> Floats:
    if "money" in part.ground.rows:
        return part.ground.rows["money"].to_numpy(np.float64)
    return part.ground.outcome(None if "y" in part.ground.rows else REPURCHASE_DAYS)


def _promises(part: Judged) -> bool:
    """Tell whether the scores are on the scale of the outcomes: amounts, or probabilities."""
    score, most = part.score(), np.inf if "money" in part.ground.rows else 1
    return len(score) > 0 and bool(((score >= 0) & (score <= most)).all())


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
