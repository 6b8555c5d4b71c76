from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from feast import FeatureView
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType

# What Feast calls a type, the column that holds it, and the field of Feast's Value. Every other type (lists, maps,
# times) is kept as the bytes of its Value.
KINDS: dict[ValueType, tuple[pa.DataType, str]] = {
    ValueType.DOUBLE: (pa.float64(), "double_val"),
    ValueType.FLOAT: (pa.float64(), "float_val"),
    ValueType.INT64: (pa.int64(), "int64_val"),
    ValueType.INT32: (pa.int64(), "int32_val"),
    ValueType.BOOL: (pa.bool_(), "bool_val"),
    ValueType.STRING: (pa.string(), "string_val"),
    ValueType.BYTES: (pa.binary(), "bytes_val"),
}


def packable(view: FeatureView) -> bool:
    """Whether a view's features all have columns of their own, so that Arrow's columns can be written as they are."""
    return all(field.dtype.to_value_type() in KINDS for field in view.features)


def arrow_type(value_type: ValueType) -> pa.DataType:
    """Return the column type that holds a Feast type."""
    return KINDS[value_type][0] if value_type in KINDS else pa.binary()


def column_of(values: Sequence[Value | None], value_type: ValueType) -> Any:
    """(n,) Arrow array of Feast's values; None and an empty value are null."""
    known = [
        value if value is not None and value.WhichOneof("val") not in {None, "null_val"} else None for value in values
    ]
    if value_type not in KINDS:
        return pa.array([value and value.SerializeToString() for value in known], pa.binary())
    kind, attribute = KINDS[value_type]
    return pa.array([None if value is None else getattr(value, attribute) for value in known], kind)


def values_of(cells: Sequence[Any], value_type: ValueType) -> list[Value]:
    """(n,) Feast's values of plain ones; None becomes an empty value."""
    if value_type not in KINDS:
        return [Value() if cell is None else Value.FromString(cell) for cell in cells]
    attribute = KINDS[value_type][1]
    arguments: list[dict[str, Any]] = [{} if cell is None else {attribute: cell} for cell in cells]
    return [Value(**argument) for argument in arguments]
