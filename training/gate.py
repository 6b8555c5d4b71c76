import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from recsys.core.errors import PromotionError

GATE = "gate.json"


@dataclass(frozen=True)
class Gate:
    """What decides a promotion: the challenger's deciding metric less the champion's, on the same cutoffs.

    metric: larger is better.
    cutoffs: the days tested on.
    champion: version compared with; "" when there was none.
    low, high: the paired 95% interval of the difference, (0, 0) when there was no champion or nothing that shapes a
        model had changed.
    """

    metric: str
    cutoffs: tuple[str, ...]
    champion: str
    low: float
    high: float

    @property
    def passes(self) -> bool:
        """No worse: the interval does not lie wholly below 0."""
        return self.high >= 0

    def write(self, folder: Path) -> None:
        """Store it beside the bundle."""
        (folder / GATE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` stored."""
        data = json.loads((folder / GATE).read_text(encoding="utf-8"))
        return cls(**{**data, "cutoffs": tuple(data["cutoffs"])})

    def check(self, task: str, version: str, champion: str) -> None:
        """Raise `PromotionError` when it does not let the version pass over the present champion ("" = none)."""
        if champion and champion != self.champion:
            reason = f"it was compared with version {self.champion or 'none'}, the champion is {champion}: train again"
            raise PromotionError(task, version, reason)
        if not self.passes:
            reason = f"{self.metric} is lower than the champion's by an interval of [{self.low:.4f}, {self.high:.4f}]"
            raise PromotionError(task, version, reason)
