from collections.abc import Callable
from typing import Any

from tests.oracle.features.known import Line, days_of
from tests.oracle.features.pair_oracle import MemberItem

Lines = Callable[[MemberItem], list[Line] | None]


def _same_category(p: MemberItem, line: Line) -> bool:
    return line.category == str(p.same("category"))


def _same_subcategory(p: MemberItem, line: Line) -> bool:
    return line.subcategory == str(p.same("subcategory"))


def _of_brand(matches: Callable[[MemberItem, Line], bool]) -> Lines:
    def lines(p: MemberItem) -> list[Line] | None:
        brand = p.same("brand")
        if brand is None or p.item not in p.known.launches or p.lines:
            return None
        return [line for line in p.member.lines if line.brand == brand and matches(p, line)]

    return lines


def _told(lines: Lines, tell: Callable[[MemberItem, list[Line]], Any]) -> Callable[[MemberItem], Any]:
    def value(p: MemberItem) -> Any:
        found = lines(p)
        return None if found is None else tell(p, found)

    return value


def _oracles(kind: str, matches: Callable[[MemberItem, Line], bool]) -> dict[str, Callable[[MemberItem], Any]]:
    lines = _of_brand(matches)
    return {
        f"affinity_brand_in_{kind}_days": _told(lines, lambda _, found: len(days_of(found))),
        f"affinity_brand_in_{kind}_days_90d": _told(
            lines, lambda p, found: sum(p.known.ago(day) <= 90 for day in days_of(found))
        ),
        f"affinity_brand_in_{kind}_products": _told(lines, lambda _, found: len({line.product for line in found})),
        f"affinity_brand_in_{kind}_days_since": _told(lines, lambda p, found: p.ago(found)),
    }


LAUNCH_ORACLES = _oracles("subcategory", _same_subcategory) | _oracles("category", _same_category)
