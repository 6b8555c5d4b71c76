"""What members did of late, day by day: columns over memory-mapped files, from which windows of days are counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.artifacts.publication_columns import open_array, open_rows
from recsys.artifacts.publication_content import FACT_DAYS
from recsys.core.errors import ArtifactError


@dataclass(frozen=True, eq=False)
class DayFacts:
    """Facts of one kind, the oldest day first and members ascending within a day.

    first: number of the mall day that comes first. start: (days + 1,) day first + d is at [start[d], start[d + 1]).
    member: (facts,) member rows. columns: (facts,) values by name.
    """

    first: int
    start: "np.ndarray"
    member: "np.ndarray"
    columns: Mapping[str, "np.ndarray"]

    @property
    def days(self) -> int:
        """So many days are kept."""
        return len(self.start) - 1

    def span(self, days: int) -> slice:
        """Where the facts of the last days stand; more days than are kept are all of them."""
        return slice(int(self.start[max(0, self.days - days)]), int(self.start[-1]))

    def day(self, at: "np.ndarray") -> "np.ndarray":
        """Return the number of the mall day of each position."""
        return np.asarray(self.first + self.start.searchsorted(at, side="right") - 1)

    def of_member(self, row: int) -> "np.ndarray":
        """Return the positions of a member's facts, oldest first."""
        found = []
        for low, high in zip(self.start[:-1].tolist(), self.start[1:].tolist(), strict=True):
            day = self.member[low:high]
            left, right = day.searchsorted((row, row + 1))
            found.append(np.arange(low + left, low + right))
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Facts:
    """What happened in the `FACT_DAYS` mall days before as_of; what came back, or was held out, is not there.

    purchases: one a mall day, member and product: `product` row, `quantity`, `amount` money, `hour` of the first.
    events: one an event: `type`, a place in `event_types`; `product` row, -1 = none; `hour`.
    contacts: one a contact: `campaign`, `channel` and `format`, places in the names below, -1 = unknown.
    """

    purchases: DayFacts
    events: DayFacts
    contacts: DayFacts
    event_types: tuple[str, ...]
    campaigns: tuple[str, ...]
    channels: tuple[str, ...]
    formats: tuple[str, ...]

    @classmethod
    def open(
        cls, folder: Path, names: Mapping[str, Any], *, as_of: int, members: int, products: int, known: bool = False
    ) -> Self:
        """Memory-map what `write_facts` wrote and hold it to its bounds.

        names: what `write_facts` returned. as_of: number of the mall day. known: as of `open_rows`.
        """
        texts = {name: tuple(map(str, names[name])) for name in ("event_types", "campaigns", "channels", "formats")}

        def kind(name: str, *, codes: Mapping[str, tuple[int, int]], numbers: tuple[str, ...]) -> DayFacts:
            start = open_array(folder, f"{name}_start", (FACT_DAYS + 1,), kind="i")
            if start[0] != 0 or (np.diff(start) < 0).any():
                raise ArtifactError(folder / f"{name}_start.npy", "does not ascend")
            facts = int(start[-1])
            columns = {
                column: open_rows(folder, f"{name}_{column}", facts, low=low, below=below, known=known)
                for column, (low, below) in {"member": (0, members), **codes}.items()
            }
            columns |= {column: open_array(folder, f"{name}_{column}", (facts,)) for column in numbers}
            return DayFacts(as_of - FACT_DAYS, start, columns.pop("member"), columns)

        hour = {"hour": (0, 24)}
        places = {"campaign": "campaigns", "channel": "channels", "format": "formats"}
        return cls(
            purchases=kind("purchases", codes={"product": (0, products), **hour}, numbers=("quantity", "amount")),
            events=kind(
                "events", codes={"type": (0, len(texts["event_types"])), "product": (-1, products), **hour}, numbers=()
            ),
            contacts=kind(
                "contacts", codes={column: (-1, len(texts[name])) for column, name in places.items()}, numbers=()
            ),
            **texts,
        )
