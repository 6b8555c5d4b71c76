from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys.evaluation.backtest import REPEAT, Backtest, FoldResult

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ground:
    """What happened to one cutoff's rows, prepared once for all scorers.

    rows: (n, ...) keys, labels and carried features.
    member: (n,) codes in [0, members); the same member has the same code at every cutoff.
    members: size of that code space.
    product: (n,) codes of product_id, or None when the rows have none.
    tie: (n,) pseudo-random numbers that come from the keys alone: they order rows of equal score, so that the order of
        the rows and of the ids can tell nothing.
    repeat: (n,) whether the member had bought the product before; None when no carried feature tells.
    missed, missed_repeat: (members,) products bought in the horizon that are not among the member's rows: all, and
        those that the member had bought before.
    """

    rows: pd.DataFrame
    member: Codes
    members: int
    product: Codes | None
    tie: npt.NDArray[np.uint64]
    repeat: Flags | None
    missed: Floats
    missed_repeat: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def outcome(self, within: int | None) -> Floats:
        """(n,) 1 where it happened; `within` days when the labels are days, else None.

        All NaN when the labels do not look that far.
        """
        if within is None:
            return self.rows["y"].to_numpy(np.float64)
        if len(self) and float(self.rows["observed"].min()) < within:
            return np.full(len(self), np.nan)
        return (self.rows["days"].to_numpy(np.float64) < within).astype(np.float64)


@dataclass(frozen=True)
class Ranked:
    """Rows in the order of the lists that they make, one list an owner (a member, or a product).

    order: (n,) row numbers. owner: (n,) codes in that order. place: (n,) places from 0 in the owner's list.
    """

    order: Codes
    owner: Codes
    place: Codes


@dataclass(frozen=True)
class Judged:
    """One scorer's answers beside what happened.

    scores: (n, s) the task's score columns, aligned with `ground.rows`.
    """

    ground: Ground
    scores: pd.DataFrame

    def score(self, column: str = "score") -> Floats:
        """(n,) one score column."""
        return self.scores[column].to_numpy(np.float64)

    @cached_property
    def lists(self) -> Ranked:
        """Each member's rows, best first."""
        return self.ranked(self.ground.member)

    def ranked(self, owner: Codes) -> Ranked:
        """Sort the rows of each (n,) owner, best score first, ties by the ground's pseudo-random numbers."""
        order = np.lexsort((self.ground.tie, -self.score(), owner)).astype(np.int64)
        in_order = owner[order]
        starts = np.flatnonzero(np.diff(in_order, prepend=-1))
        lengths = np.diff(np.append(starts, len(order)))
        return Ranked(order, in_order, np.arange(len(order)) - np.repeat(starts, lengths))


def judge(test: Backtest) -> dict[str, tuple[Judged, ...]]:
    """Prepare a back-test for the metrics: scorer name -> one `Judged` a fold, oldest first."""
    grounds = _grounds(test.folds)
    return {
        name: tuple(Judged(ground, fold.results[name].scores) for ground, fold in zip(grounds, test.folds, strict=True))
        for name in test.names
    }


def stacked(parts: Sequence[Judged]) -> Judged:
    """Lay the rows of several cutoffs under each other, members keeping their codes; products missed are added up."""
    grounds = [part.ground for part in parts]
    rows = pd.concat([ground.rows for ground in grounds], ignore_index=True)
    products = [ground.product for ground in grounds]
    repeats = [ground.repeat for ground in grounds]
    ground = Ground(
        rows=rows,
        member=np.concatenate([ground.member for ground in grounds]),
        members=grounds[0].members,
        product=None
        if any(part is None for part in products)
        else np.concatenate([p for p in products if p is not None]),
        tie=np.concatenate([ground.tie for ground in grounds]),
        repeat=None if any(part is None for part in repeats) else np.concatenate([r for r in repeats if r is not None]),
        missed=np.sum([ground.missed for ground in grounds], axis=0),
        missed_repeat=np.sum([ground.missed_repeat for ground in grounds], axis=0),
    )
    return Judged(ground, pd.concat([part.scores for part in parts], ignore_index=True))


def _grounds(folds: Sequence[FoldResult]) -> list[Ground]:
    every = pd.Index(pd.unique(pd.concat([fold.rows["member_id"] for fold in folds], ignore_index=True)))
    return [_ground(fold, every) for fold in folds]


def _ground(fold: FoldResult, every: "pd.Index[str]") -> Ground:
    rows = fold.rows
    keys = [name for name in ("member_id", "category", "product_id") if name in rows]
    member = every.get_indexer(pd.Index(rows["member_id"])).astype(np.int64)
    missed, missed_repeat = _missed(fold, every)
    return Ground(
        rows=rows,
        member=member,
        members=len(every),
        product=pd.factorize(rows["product_id"])[0].astype(np.int64) if "product_id" in rows else None,
        tie=pd.util.hash_pandas_object(rows[keys], index=False).to_numpy().astype(np.uint64),
        repeat=(rows[REPEAT].to_numpy(np.float64) > 0) if REPEAT in rows else None,
        missed=missed,
        missed_repeat=missed_repeat,
    )


def _missed(fold: FoldResult, every: "pd.Index[str]") -> tuple[Floats, Floats]:
    """Count the truth outside the rows for members that have rows; those of unknown past count as first purchases."""
    if fold.truth is None:
        return np.zeros(len(every)), np.zeros(len(every))
    keys = ["member_id", "product_id"]
    truth = fold.truth.drop_duplicates(keys)
    truth = truth[truth["member_id"].isin(fold.rows["member_id"])]
    inside = pd.MultiIndex.from_frame(truth[keys]).isin(pd.MultiIndex.from_frame(fold.rows[keys]))
    outside = truth[~inside]
    member = every.get_indexer(pd.Index(outside["member_id"]))
    repeat = outside["repeat"].to_numpy(np.float64) if "repeat" in outside else np.zeros(len(outside))
    count = np.bincount(member, minlength=len(every)).astype(np.float64)
    return count, np.bincount(member, weights=repeat, minlength=len(every)).astype(np.float64)
