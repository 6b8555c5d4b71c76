"""Keeps the members most likely to buy each launch, chosen over all members in bounded memory."""

import math
from typing import Any

import numpy as np
import pandas as pd


class TopShare:
    """Of each product, keeps the members of the highest scores: a share of all scored, but never fewer than `least`.

    Of equal scores the member who came first is kept. What cannot be among them any more is forgotten now and then, so
    that memory holds about twice what will be kept.

    members: at least as many as can be scored for a product.
    """

    def __init__(self, share: float, least: int, members: int) -> None:
        self._share, self._least = share, least
        self._most = self._wanted(members)
        self._products: dict[str, int] = {}
        self._scored = np.zeros(0, dtype=np.int64)
        self._kept: list[pd.DataFrame] = []
        self._rows = 0

    def part(self, table: pd.DataFrame) -> pd.DataFrame:
        """Take the scores of some members; nothing is written before all were seen."""
        names = pd.unique(table["product_id"])
        for name in names:
            self._products.setdefault(str(name), len(self._products))
        codes = table["product_id"].map(self._products).to_numpy(dtype=np.int64)
        scored = np.bincount(codes, minlength=len(self._products))
        scored[: len(self._scored)] += self._scored
        self._scored = scored
        self._kept.append(table[["member_id", "product_id", "score"]].assign(code=codes))
        self._rows += len(table)
        if self._rows > 2 * self._most * len(self._products):
            self._kept = [self._foremost(np.full(len(self._products), self._most))]
            self._rows = len(self._kept[0])
        return table.iloc[:0]

    def rest(self) -> pd.DataFrame | None:
        """Return the pairs that are kept, in the order in which they came."""
        if not self._kept:
            return None
        wanted = np.array([self._wanted(int(scored)) for scored in self._scored], dtype=np.int64)
        found = self._foremost(wanted)
        self._kept = [found]
        return found.drop(columns=["code"])

    def told(self) -> dict[str, Any]:
        """Say of each product how many members were scored and from which score on all of them are kept; 0 = all are.

        Call it after `rest`.
        """
        found = pd.concat(self._kept) if self._kept else pd.DataFrame({"code": [], "score": []})
        lowest = found.groupby("code")["score"].min()
        launches = {}
        for name, code in self._products.items():
            scored = int(self._scored[code])
            launches[name] = {"scored": scored, "floor": 0.0 if self._wanted(scored) >= scored else float(lowest[code])}
        return {"launches": launches}

    def _wanted(self, scored: int) -> int:
        return min(scored, max(self._least, math.ceil(self._share * scored)))

    def _foremost(self, wanted: "np.ndarray") -> pd.DataFrame:
        table = pd.concat(self._kept, ignore_index=True)
        code, score = table["code"].to_numpy(), table["score"].to_numpy(dtype=np.float64)
        order = np.lexsort((np.arange(len(table)), -score, code))
        rank = np.arange(len(order)) - np.searchsorted(code[order], code[order])
        return table.iloc[np.sort(order[rank < wanted[code[order]]])].reset_index(drop=True)
