"""What the text of relations and features may say, so that one text means the same on DuckDB and on Spark.

Nothing is translated. A function stands in `ALLOWED` because both engines were seen to compute it alike, or in
`DEFINED` because Spark lacks it and is given it; everything else is refused before it runs.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ALLOWED = frozenset(
    {
        *("count", "sum", "min", "max", "median"),
        *("row_number", "rank", "lag", "lead"),
        *("coalesce", "nullif", "least", "abs", "cast"),
        *("round", "sqrt", "power", "ln"),
    }
)
"""Functions that give the same on both engines as the catalogue uses them; decision 0210 says which do not."""

DEFINED = {
    "epoch_us": "(t TIMESTAMP_NTZ) RETURNS BIGINT RETURN unix_micros(CAST(t AS TIMESTAMP_LTZ))",
    "divide": "(a BIGINT, b BIGINT) RETURNS BIGINT RETURN a DIV b",
    "to_months": "(n INT) RETURNS INTERVAL MONTH RETURN make_ym_interval(0, n)",
    "timezone": "(zone STRING, t TIMESTAMP_NTZ) RETURNS TIMESTAMP_NTZ RETURN convert_timezone('UTC', zone, t)",
}
"""DuckDB's functions that Spark is given, as SQL: microseconds since 1970, division that drops the rest, an interval of
months, and, of a UTC time, a zone's wall clock (`timezone('UTC', t)` leaves t as it is, where DuckDB marks it as UTC).
"""

_TEXT = re.compile(r"'(?:[^']|'')*'")
_CALL = re.compile(r"\b([a-z_]\w*)\s*\(", re.IGNORECASE)
_WORDS = frozenset(
    {"and", "as", "exists", "from", "in", "join", "not", "on", "or", "over", "then", "using", "when", "where"}
)
_REFUSED = {
    "a decimal number, which Spark divides in decimals": re.compile(r"\b\d+\.\d+(?!\w*e)", re.IGNORECASE),
    "an operator of DuckDB's own": re.compile(r"//|::|->|\^|~"),
    "a phrase of DuckDB's own": re.compile(
        r"\b(exclude|replace|qualify|varchar|hugeint|asof|positional)\b|\b(group|order)\s+by\s+all\b|\(\s*from\b", re.I
    ),
    "a window that builds on another": re.compile(r"over\s*\(\s*(?!partition\b|order\b|\))\w+", re.IGNORECASE),
}


def checked(sql: str) -> str:
    """Return the text when it says only what both engines read alike; `ValueError` says what it should not say."""
    plain = _TEXT.sub("''", sql)
    called = {name.lower() for name in _CALL.findall(plain)} - _WORDS
    strange = sorted(called - ALLOWED - set(DEFINED))
    if strange:
        raise ValueError(f"calls {', '.join(strange)}: {sql}")
    if "\\" in sql:
        raise ValueError(f"has a backslash, which Spark takes for an escape: {sql}")
    for what, pattern in _REFUSED.items():
        if found := pattern.search(plain):
            raise ValueError(f"has {what} ({found.group()!r}): {sql}")
    return sql


def define_functions(spark: "SparkSession") -> None:
    """Give a session the functions of `DEFINED`, which last as long as it does."""
    for name, text in DEFINED.items():
        spark.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {name}{text}")
