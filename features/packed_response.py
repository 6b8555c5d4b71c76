"""Feast's answer in protobuf's wire form, made column by column: a message object for each cell takes far longer."""

from collections.abc import Mapping

import numpy as np
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

from features.packed_values import values_of
from recsys.store.packed_rows import PackedRows

# What protobuf writes before a part: field number and wire type in one byte, then the part's length.
RESULT = b"\x12"
VALUE = b"\x0a"
STATUS = b"\x12"
TIME = b"\x1a"
NULL = VALUE + b"\0"
DOUBLE = np.frombuffer(VALUE + b"\x09\x29", np.uint8)


def results(rows: PackedRows, types: Mapping[str, ValueType]) -> bytes:
    """Write `results` of a GetOnlineFeaturesResponse: one vector of (n,) values a feature, in the order of types.

    A feature that the rows do not have is null everywhere.
    """
    status = np.where(rows.found, FieldStatus.PRESENT, FieldStatus.NOT_FOUND).astype(np.uint8).tobytes()
    tail = _part(STATUS, status) + _times(rows)
    places = {column.name: place for place, column in enumerate(rows.schema.columns)}
    doubles = {column.name: place for place, column in enumerate(rows.schema.fixed) if column.kind == "float"}
    nulls = rows.nulls()
    fast = [name for name, value_type in types.items() if value_type is ValueType.DOUBLE and name in doubles]
    made = _doubles(rows.numbers[:, [doubles[name] for name in fast]].T, nulls[:, [places[name] for name in fast]].T)
    written = dict(zip(fast, made, strict=True))
    vectors = []
    for name, value_type in types.items():
        if name not in places:
            values = NULL * len(rows)
        elif name in written:
            values = written[name]
        else:
            cells = values_of(rows.column(name), value_type)
            values = b"".join([_part(VALUE, cell.SerializeToString()) for cell in cells])
        vectors.append(_part(RESULT, values + tail))
    return b"".join(vectors)


def _doubles(numbers: np.ndarray, null: np.ndarray) -> list[bytes]:
    """(f,) values of (f, n) numbers, one feature after another."""
    cells = np.empty((*numbers.shape, 11), np.uint8)
    cells[:, :, :3] = DOUBLE
    cells[:, :, 3:] = np.ascontiguousarray(numbers, "<f8").view(np.uint8).reshape(*numbers.shape, 8)
    if not null.any():
        return [feature.tobytes() for feature in cells]
    cells[null, 1] = 0
    kept = np.ones(cells.shape, bool)
    kept[null, 2:] = False
    return [feature[keep].tobytes() for feature, keep in zip(cells, kept, strict=True)]


def _times(rows: PackedRows) -> bytes:
    micros = np.where(rows.found, rows.event_time.astype(np.int64), 0)
    known = {}
    for time in np.unique(micros).tolist():
        stamp = Timestamp()
        stamp.FromMicroseconds(time)
        known[time] = _part(TIME, stamp.SerializeToString())
    return b"".join([known[time] for time in micros.tolist()])


def _part(tag: bytes, body: bytes) -> bytes:
    length = len(body)
    size = bytearray()
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return tag + bytes(size) + body
