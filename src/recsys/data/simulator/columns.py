"""From numbers to columns of text, times and days."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.simulator.arrays import Flags, Floats, Ints
from recsys.data.simulator.calendar import Calendar

ZONE = "Asia/Shanghai"
EAST = 8 / 24
"""The zone lies this part of a day before UTC, all year."""
MICROSECONDS = 86_400_000_000
Column: TypeAlias = "pa.Array[Any]"


def table_of(columns: Mapping[str, Any]) -> pa.Table:
    """Return a table of columns: Arrow or NumPy arrays, or lists."""
    return pa.table(dict(columns))


def chosen(number: Ints, names: Sequence[str | None]) -> Column:
    """Return text n of `names` for each of the (n,) numbers; -1 gives null, as None does."""
    unknown = np.array([name is None for name in names] + [True])[number]
    indices: Any = pa.array(number.astype(np.int32), mask=unknown)
    return pa.DictionaryArray.from_arrays(indices, pa.array([name or "" for name in names], pa.string()))


def numbered(prefix: str, number: Ints, missing: Flags | None = None) -> Column:
    """Return `prefix` and each number as text; null where missing."""
    digits: Any = pa.array(number, mask=missing).cast(pa.string())
    joined: Column = pc.binary_join_element_wise(pa.scalar(prefix), digits, pa.scalar(""))
    return joined


def times(calendar: Calendar, time: Floats) -> Column:
    """Return UTC times, whole minutes, of days from the span's first in the shop's zone; NaN gives null."""
    known = ~np.isnan(time)
    minutes = np.floor((np.where(known, time, 0) + calendar.first - EAST) * 1440)
    values = (minutes * (MICROSECONDS // 1440)).astype(np.int64)
    return pa.array(values, mask=~known).cast(pa.timestamp("us"))


def dates(calendar: Calendar, time: Floats) -> Column:
    """Return the days that times lie in; NaN gives null."""
    known = ~np.isnan(time)
    days = (np.floor(np.where(known, time, 0)) + calendar.first).astype(np.int32)
    return pa.array(days, mask=~known).cast(pa.date32())
