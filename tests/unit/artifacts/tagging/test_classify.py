from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.artifacts.tagging.classify import _limit, classify
from recsys.artifacts.tagging.settings import Segments
from recsys.artifacts.tagging.spec import SegmentSpec

DAY = 20_000
ABOUT = {"zh": "分", "en": "cut", "about_zh": "分", "about_en": "cut"}


def settings(**one: Any) -> Segments:
    return Segments.checked({"segments": {"cut": ABOUT | one}})


def value(code: str, *when: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "zh": code, "en": code, "when": list(when)}


def cut(
    made: Segments, earlier: SegmentSpec | None = None, day: int = DAY, **tags: Any
) -> tuple[list[Any], SegmentSpec]:
    frame = pd.DataFrame({"member_id": [f"会员{n}" for n in range(len(next(iter(tags.values()))))]} | tags)
    parts, (spec,) = classify(made, frame, day, {} if earlier is None else {"cut": earlier})
    assert parts["member_id"].tolist() == frame["member_id"].tolist()
    return parts["cut"].tolist(), spec


def test_limits_are_half_open_and_the_unknown_meets_none() -> None:
    made = settings(values=[value("a", {"tag": "money", "min": 1, "max": 2}), value("b", {"tag": "money", "min": 0})])
    assert cut(made, money=[0.99, 1, 1.99, 2, np.nan])[0] == ["b", "a", "a", "b", None]


def test_the_unknown_meets_a_condition_that_says_so() -> None:
    made = settings(
        values=[
            value("a", {"tag": "money", "min": 1, "unknown": True}),
            value("b", {"tag": "city", "is": ["北京"], "unknown": True}),
        ]
    )
    assert cut(made, money=[np.nan, 0, 0, 0], city=["北京", "北京", None, "上海"])[0] == ["a", "b", "b", None]


def test_the_first_value_that_fits_is_taken_and_one_without_conditions_takes_the_rest() -> None:
    made = settings(
        values=[value("a", {"tag": "regular"}), value("b", {"tag": "city", "is": ["Köln", "北京"]}), value("c")]
    )
    assert cut(made, regular=[True, False, False], city=["北京", "北京", None])[0] == ["a", "b", "c"]


def test_a_code_may_come_again_as_another_way_to_be_it() -> None:
    made = settings(values=[value("a", {"tag": "money", "min": 9}), value("b", {"tag": "regular"}), value("a")])
    codes, spec = cut(made, money=[9.0, 0.0, 0.0], regular=[False, True, False])
    assert codes == ["a", "b", "a"]
    assert spec.codes == ("a", "b")


def test_who_is_not_among_has_none() -> None:
    made = settings(among=[{"tag": "purchase_days", "min": 1}], values=[value("a")])
    assert cut(made, purchase_days=[0, 1, np.nan])[0] == [None, "a", None]


def test_a_tag_that_is_not_there_is_unknown_of_everybody() -> None:
    made = settings(
        cuts={"much": {"tag": "money", "rank": 0.5}},
        values=[
            value("a", {"tag": "money", "min": "much"}),
            value("b", {"tag": "city", "is": ["北京"]}),
            value("c", {"tag": "regular"}),
            value("d", {"tag": "money", "max": 5, "unknown": True}),
        ],
    )
    codes, spec = cut(made, purchase_days=[1.0, 2.0])
    assert codes == ["d", "d"]
    assert spec.cuts == {}
    assert cut(settings(from_tag="city"), purchase_days=[1.0])[0] == [None]


def test_cuts_are_taken_among_those_who_are_cut_and_held_for_their_days() -> None:
    made = settings(
        among=[{"tag": "purchase_days", "min": 1}],
        cuts={"much": {"tag": "money", "rank": 0.5}},
        recut_days=30,
        values=[value("high", {"tag": "money", "min": "much"}), value("low")],
    )
    days = [1, 1, 1, 1, 0]
    codes, first = cut(made, money=[1, 2, 3, 4, 99], purchase_days=days)
    assert (codes, first.cuts, first.cut_day) == (["low", "low", "high", "high", None], {"much": 3.0}, DAY)
    doubled = [2, 4, 6, 8, 99]
    held = cut(made, first, DAY + 29, money=doubled, purchase_days=days)
    assert (held[0], held[1].cuts, held[1].cut_day) == (["low", "high", "high", "high", None], {"much": 3.0}, DAY)
    anew = cut(made, first, DAY + 30, money=doubled, purchase_days=days)[1]
    assert (anew.cuts, anew.cut_day) == ({"much": 6.0}, DAY + 30)
    changed = settings(
        cuts={"much": {"tag": "money", "rank": 0.4}}, values=[value("high", {"tag": "money", "min": "much"})]
    )
    assert cut(changed, first, DAY + 1, money=doubled, purchase_days=days)[1].cut_day == DAY + 1


def test_texts_are_values_those_of_most_members_first() -> None:
    made = settings(from_tag="main_channel", most=2, words={"小程序": {"zh": "微信小程序", "en": "mini program"}})
    codes, spec = cut(made, main_channel=["门店", "小程序", "小程序", "App", None, "门店", "小程序"])
    assert codes == ["门店", "小程序", "小程序", "other", None, "门店", "小程序"]
    assert [(one.code, one.zh) for one in spec.values] == [
        ("小程序", "微信小程序"),
        ("门店", "门店"),
        ("other", "其他"),
    ]


@given(
    values=st.lists(st.integers(0, 5).map(float) | st.just(np.nan), max_size=30),
    rank=st.floats(0.01, 0.99),
)
def test_a_cut_is_the_lowest_limit_with_enough_members_below(values: list[float], rank: float) -> None:
    known = sorted(value for value in values if not np.isnan(value))
    limit = _limit(np.array(values, dtype=np.float64), rank)
    if not known:
        assert limit is None
        return
    enough = [one for one in known if sum(other < one for other in known) / len(known) >= rank]
    assert limit == pytest.approx(min(enough)) if enough else limit is not None
    assert enough or (limit is not None and limit > known[-1])
