from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.artifacts.tagging.columns import SegmentColumn
from recsys.artifacts.tagging.movement import Alert, Movement, alerts, movement
from recsys.artifacts.tagging.settings import AlertRule
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue

WORDS = {"high_low": ("高频低额", "high frequency x low value"), "low_low": ("低频低额", "low frequency x low value")}
PARTS = st.dictionaries(st.integers(0, 40), st.sampled_from(["a", "b", "丙", None]), max_size=25)


def column(members: dict[int, str | None], codes: tuple[str, ...]) -> tuple[SegmentColumn, "np.ndarray"]:
    values = tuple(SegmentValue(code, *WORDS.get(code, (code, code))) for code in codes)
    keys = np.array(sorted(members), dtype=np.uint64)
    places = [codes.index(str(members[int(key)])) if members[int(key)] is not None else -1 for key in keys]
    spec = SegmentSpec("cut", "分", "cut", "分", "cut", values, {}, 0)
    return SegmentColumn(spec, np.array(places, dtype=np.int16)), keys


def moved(
    then: dict[int, str | None], now: dict[int, str | None], codes: tuple[str, ...] = ("a", "b", "丙")
) -> Movement:
    (before, keys_before), (after, keys_after) = column(then, codes), column(now, codes)
    return movement(before, after, keys_before, keys_after, ("2025-03-24", "2025-03-31"), 7)


@given(then=PARTS, now=PARTS)
def test_rows_sum_to_sizes_before_and_columns_to_sizes_now(
    then: dict[int, str | None], now: dict[int, str | None]
) -> None:
    made = moved(then, now)
    counts = np.array(made.counts)
    assert made.codes == ("a", "b", "丙", "none", "away")
    assert tuple(counts[:-1].sum(axis=1)) == column(then, made.codes[:3])[0].sizes()
    assert tuple(counts[:, :-1].sum(axis=0)) == column(now, made.codes[:3])[0].sizes()
    assert counts[-1, -1] == 0
    assert counts.sum() == len({*then, *now})


@given(then=PARTS, now=PARTS)
def test_every_cell_is_what_counting_one_by_one_gives(then: dict[int, str | None], now: dict[int, str | None]) -> None:
    made = moved(then, now)
    pairs = Counter((then.get(member, "away") or "none", now.get(member, "away") or "none") for member in {*then, *now})
    for origin, row in zip(made.codes, made.counts, strict=True):
        for to, count in zip(made.codes, row, strict=True):
            assert count == pairs[origin, to]
    leavers = sum(count for (origin, to), count in pairs.items() if origin == "a" and to != "a")
    assert made.moved(["a"], []) == leavers
    assert made.moved([], ["b", "none"]) == sum(
        count for (origin, to), count in pairs.items() if to in ("b", "none") and origin != to
    )


def test_values_that_are_gone_keep_their_rows() -> None:
    (before, keys), (after, _) = column({1: "a", 2: "b"}, ("a", "b")), column({1: "c", 2: "b"}, ("c", "b"))
    made = movement(before, after, keys, keys, ("2025-03-24", "2025-03-31"), 7)
    assert made.codes == ("c", "b", "a", "none", "away")
    assert made.counts[2][0] == 1
    assert Movement.of(made.to_data()) == made


def weeks(counts: list[int], days: int = 7) -> list[Movement]:
    """Movements one after the other in which so many members go from high_low to low_low."""
    start = date(2025, 1, 6)
    line = []
    for place, count in enumerate(counts):
        since, until = (start + timedelta(days=days * (place + step)) for step in (0, 1))
        values = tuple(SegmentValue(code, *words) for code, words in WORDS.items())
        cells = ((50, count, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))
        line.append(Movement("frequency_value", str(since), str(until), days, values, cells))
    return line


RULE = AlertRule.checked({"segment": "frequency_value", "from": ["high_low"], "to": ["low_low"]})


def told(line: list[Movement], rule: AlertRule = RULE) -> tuple[Alert, ...]:
    return alerts([rule], {"frequency_value": line[-1]}, {"frequency_value": line[:-1]})


def test_a_move_40_percent_above_the_mean_of_four_weeks_is_told_in_words() -> None:
    (alert,) = told(weeks([900, 100, 90, 110, 100, 140]))
    assert (alert.moved, alert.expected, alert.weeks, alert.until) == (140, 100, 4, "2025-02-17")
    assert alert.rise == pytest.approx(0.4)
    assert alert.en.startswith(
        "high frequency x low value -> low frequency x low value up 40% on the 4-week mean (140 members"
    )
    assert alert.zh.startswith("高频低额 → 低频低额 比4周均值上升40%")
    assert Alert.of(alert.to_data()) == alert


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ([100, 90, 110, 100, 139], "less than 40 percent above"),
        ([900], "no earlier movement"),
        ([100, 900], "earlier movements cover a week of four"),
        ([10, 10, 10, 10, 15], "fewer than 20 members"),
        ([16, 14, 15, 15, 22], "within chance of a count of 15"),
    ],
)
def test_nothing_is_told_of_moves_that_are_not_unusual(counts: list[int], why: str) -> None:
    assert told(weeks(counts)) == (), why


def test_spans_count_by_their_days() -> None:
    daily, week = weeks([10] * 28, days=1), weeks([10] * 5)[-1]
    as_usual = Movement("frequency_value", "2025-02-03", "2025-02-10", 7, week.values, week.counts)
    assert daily[-1].until == as_usual.since
    assert told([*daily, as_usual]) == ()
    cells = ((50, 140, 0, 0), *as_usual.counts[1:])
    twice = Movement("frequency_value", "2025-02-03", "2025-02-10", 7, week.values, cells)
    assert told([*daily, twice])[0].expected == pytest.approx(70)


def test_what_never_happened_before_is_told_without_a_share() -> None:
    (alert,) = told(weeks([0, 0, 0, 0, 30]))
    assert (alert.expected, "none did in the 4 weeks before" in alert.en) == (0, True)


def test_leaving_for_anywhere_counts_all_who_leave() -> None:
    rule = AlertRule.checked({"segment": "frequency_value", "from": ["high_low"]})
    (alert,) = told(weeks([100, 100, 100, 100, 150]), rule)
    assert (alert.moved, "any other" in alert.en, "任意" in alert.zh) == (150, True, True)
