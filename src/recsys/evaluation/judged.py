from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys.evaluation.backtest import REPEATS, Backtest, FoldResult

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Missed:
    """How many items each member bought in the horizon that are not among the member's rows; (members,) each.

    next, next_repeat: those of the next basket; all, and those that the member had bought before.
    soon, soon_repeat: those of any day of the horizon.
    """

    next: Floats
    next_repeat: Floats
    soon: Floats
    soon_repeat: Floats


@dataclass(frozen=True)
class Ground:
    """What happened to one cutoff's rows, prepared once for all scorers.

    rows: (n, ...) keys, labels and carried features.
    member: (n,) codes in [0, members); the same member has the same code at every cutoff.
    members: size of that code space.
    item: (n,) codes of the product or subcategory, or None when the rows have none.
    tie: (n,) pseudo-random numbers that come from the keys alone: they order rows of equal score, so that the order of
        the rows and of the ids can tell nothing.
    repeat: (n,) whether the member had bought the item before; None when no carried feature tells.
    missed: what was bought and not offered.
    """

    rows: pd.DataFrame
    member: Codes
    members: int
    item: Codes | None
    tie: npt.NDArray[np.uint64]
    repeat: Flags | None
    missed: Missed

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
    """Rows in the order of the lists that they make, one list an owner (a member, or an item).

    order: (r,) row numbers, r <= n. owner: (r,) codes in that order. place: (r,) places from 0 in the owner's list.
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

    @cached_property
    def discoveries(self) -> Ranked:
        """Each member's rows of items that the member never bought, best `discovery` first; none when untold."""
        repeat = self.ground.repeat
        new = np.zeros(len(self.ground), dtype=np.bool_) if repeat is None else ~repeat
        return self.ranked(self.ground.member, by="discovery", rows=np.flatnonzero(new).astype(np.int64))

    def ranked(self, owner: Codes, *, by: str = "score", rows: Codes | None = None) -> Ranked:
        """Sort the rows of each (n,) owner, best score first, ties by the ground's pseudo-random numbers.

        rows: (r,) numbers of the rows that take part; None = all.
        """
        rows = np.arange(len(owner), dtype=np.int64) if rows is None else rows
        order = rows[np.lexsort((self.ground.tie[rows], -self.score(by)[rows], owner[rows]))]
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
    """Lay the rows of several cutoffs under each other, members keeping their codes; items missed are added up."""
    grounds = [part.ground for part in parts]
    rows = pd.concat([ground.rows for ground in grounds], ignore_index=True)
    items = [ground.item for ground in grounds]
    repeats = [ground.repeat for ground in grounds]
    ground = Ground(
        rows=rows,
        member=np.concatenate([ground.member for ground in grounds]),
        members=grounds[0].members,
        item=None if any(part is None for part in items) else np.concatenate([p for p in items if p is not None]),
        tie=np.concatenate([ground.tie for ground in grounds]),
        repeat=None if any(part is None for part in repeats) else np.concatenate([r for r in repeats if r is not None]),
        missed=Missed(
            *(np.sum(counts, axis=0) for counts in zip(*(_counts(ground) for ground in grounds), strict=True))
        ),
    )
    return Judged(ground, pd.concat([part.scores for part in parts], ignore_index=True))


def _grounds(folds: Sequence[FoldResult]) -> list[Ground]:
    every = pd.Index(pd.unique(pd.concat([fold.rows["member_id"] for fold in folds], ignore_index=True)))
    return [_ground(fold, every) for fold in folds]


def _counts(ground: Ground) -> tuple[Floats, ...]:
    missed = ground.missed
    return missed.next, missed.next_repeat, missed.soon, missed.soon_repeat


def _ground(fold: FoldResult, every: "pd.Index[str]") -> Ground:
    rows = fold.rows
    keys = [name for name in ("member_id", "category", *REPEATS) if name in rows]
    member = every.get_indexer(pd.Index(rows["member_id"])).astype(np.int64)
    item = next((name for name in REPEATS if name in rows), None)
    repeat = None if item is None else REPEATS[item]
    return Ground(
        rows=rows,
        member=member,
        members=len(every),
        item=None if item is None else pd.factorize(rows[item])[0].astype(np.int64),
        tie=pd.util.hash_pandas_object(rows[keys], index=False).to_numpy().astype(np.uint64),
        repeat=(rows[repeat].to_numpy(np.float64) > 0) if repeat in rows else None,
        missed=_missed(fold, every, item),
    )


def _missed(fold: FoldResult, every: "pd.Index[str]", item: str | None) -> Missed:
    """Count the truth outside the rows for members that have rows."""
    if fold.truth is None or item is None:
        nothing = np.zeros(len(every))
        return Missed(nothing, nothing, nothing, nothing)
    keys = ["member_id", item]
    truth = fold.truth[fold.truth["member_id"].isin(fold.rows["member_id"])]
    inside = pd.MultiIndex.from_frame(truth[keys]).isin(pd.MultiIndex.from_frame(fold.rows[keys]))
    outside = truth[~inside]
    member = every.get_indexer(pd.Index(outside["member_id"]))
    next_, repeat = outside["next"].to_numpy(np.bool_), outside["repeat"].to_numpy(np.bool_)

    def count(chosen: Flags) -> Floats:
        return np.bincount(member[chosen], minlength=len(every)).astype(np.float64)

    return Missed(count(next_), count(next_ & repeat), count(np.ones_like(next_)), count(repeat))
