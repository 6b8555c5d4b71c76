from itertools import groupby

from recsys.core.task import FeatureSpec, View
from recsys.features.catalog import features_of
from recsys.features.expression import NEVER

CODES = {
    "member_id": "member_code",
    "category": "category_code",
    "subcategory": "subcategory_code",
    "product_id": "product_code",
}


def view_sql(view: View, stamp: str) -> str:
    """Write the query of a feature table: one row for each row of its spine, ordered by its keys.

    stamp: SQL of as_of's instant, which becomes `event_timestamp` and, as rows depend on nothing but the tables and
    as_of, `created_timestamp` too. The text still holds `{as_of}`.
    """
    specs = sorted(features_of(view), key=lambda spec: spec.source)
    codes = ", ".join(CODES[key] for key in view.keys)
    joins = [
        f"LEFT JOIN ({_source_sql(codes, source, tuple(group))}) AS from_{source} USING ({codes})"
        for source, group in groupby(specs, key=lambda spec: spec.source)
    ]
    keys = ", ".join(f"spine.{key} AS {key}" for key in view.keys)
    values = ",\n".join(_value_sql(spec) for spec in features_of(view))
    stamps = f"{stamp} AS event_timestamp, {stamp} AS created_timestamp"
    order = ", ".join(f"spine.{key}" for key in view.keys)
    return (
        f"SELECT {keys},\n{values},\n{stamps}\nFROM {view}_spine AS spine\n" + "\n".join(joins) + f"\nORDER BY {order}"
    )


def _source_sql(codes: str, source: str, specs: tuple[FeatureSpec, ...]) -> str:
    values = ",\n".join(f"{spec.sql} AS {spec.name}" for spec in specs)
    return f"SELECT {codes},\n{values}\nFROM {source} GROUP BY {codes}"


def _value_sql(spec: FeatureSpec) -> str:
    value = f"from_{spec.source}.{spec.name}"
    if spec.kind == "category":
        return f"{value} AS {spec.name}"
    return f"CAST({f'coalesce({value}, 0)' if spec.null_meaning == NEVER else value} AS DOUBLE) AS {spec.name}"
