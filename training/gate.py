import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from recsys.core.errors import ArtifactError, PromotionError
from recsys.core.task import Task
from recsys.evaluation.backtest import Backtest, Fold
from recsys.evaluation.gate import GateVerdict, no_worse
from recsys.evaluation.record import load_backtest
from training.tracking import Registered, Tracking

GATE = "gate.json"
RECORD = "backtest"


@dataclass(frozen=True)
class Gate:
    """What decides a promotion, as it is kept beside the bundle.

    metric: the deciding metric. champion: the version compared with; "" when there was none. passed, reason: the
    verdict and what it rests on. reason_zh: the same in Chinese; "" where it was not kept.
    """

    metric: str
    champion: str
    passed: bool
    reason: str
    reason_zh: str = ""

    @classmethod
    def first(cls, metric: str) -> Self:
        """Return the gate of a task that has no champion yet."""
        return cls(metric, "", passed=True, reason="there was no champion", reason_zh="此前没有冠军")

    @classmethod
    def between(cls, challenger: Backtest, champion: Backtest, version: str) -> Self:
        """Compare two back-tests."""
        verdict: GateVerdict = no_worse(challenger, champion)
        return cls(verdict.metric, version, verdict.passed, verdict.reason, verdict.reason_zh)

    def write(self, folder: Path) -> None:
        """Store it."""
        (folder / GATE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` stored."""
        return cls(**json.loads((folder / GATE).read_text(encoding="utf-8")))

    def check(self, task: str, version: str, champion: str) -> None:
        """Raise `PromotionError` when it does not let the version pass over the present champion ("" = none)."""
        if champion and champion != self.champion:
            reason = f"it was compared with version {self.champion or 'none'}, the champion is {champion}: train again"
            raise PromotionError(task, version, reason)
        if not self.passed:
            raise PromotionError(task, version, self.reason)


def recorded(
    tracking: Tracking, champion: Registered, task: Task, laid: tuple[Fold, ...], tables_digest: str
) -> Backtest | None:
    """Return the champion's own back-test when it is of the same tables, horizon and all these cutoffs, else None."""
    same = {"horizon": str(task.horizon), "tables_digest": tables_digest}
    if not same.items() <= dict(champion.params).items():
        return None
    try:
        known = load_backtest(tracking.folder(champion) / RECORD, task)
    except ArtifactError:
        return None
    return known if {fold.test for fold in laid} <= {fold.fold.test for fold in known.folds} else None
