"""What is bought on a visit, before money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.data.simulator.arrays import Floats, Ints, added


@dataclass(frozen=True)
class Lines:
    """Products bought, (n,) each.

    visit: its number. product: its number. quantity: whole pieces, at least 1.
    """

    visit: Ints
    product: Ints
    quantity: Floats

    def __len__(self) -> int:
        return len(self.visit)

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Join lines, by visit and product; the same product on one visit is one line."""
        visit = np.concatenate([part.visit for part in parts])
        product = np.concatenate([part.product for part in parts])
        quantity = np.concatenate([part.quantity for part in parts])
        wide = int(product.max(initial=0)) + 1
        key, place = np.unique(visit * wide + product, return_inverse=True)
        return cls(key // wide, key % wide, added(quantity, place, len(key)))
