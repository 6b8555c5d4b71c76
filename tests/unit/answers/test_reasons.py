from math import nan
from typing import Any

import pytest

from recsys.answers import reasons
from recsys.answers.reasons import Telling, Words, why
from recsys.artifacts.publication_content import Reason

TELLINGS: list[tuple[Telling, str, str]] = [
    (
        (reasons.DUE, 28, 26),
        "该补货了：约每28天买一次，上次在26天前",
        "due: bought about every 28 days, last 26 days ago",
    ),
    ((reasons.DUE, 1, 1), "该补货了：约每天买一次，上次在1天前", "due: bought about every day, last 1 day ago"),
    ((reasons.AGAIN, 3, 26), "买过3次，上次在26天前", "bought 3 times, last 26 days ago"),
    ((reasons.AGAIN, 1, 26), "26天前买过", "bought 26 days ago"),
    ((reasons.AGAIN, 1, 1), "1天前买过", "bought 1 day ago"),
    ((reasons.IN_CATEGORY, "tea"), "您买过的tea", "from tea, which you have bought"),
    ((reasons.NEW, "tea"), "tea新品", "new in tea"),
    ((reasons.NEW, None), "新品上架", "just launched"),
    ((reasons.NEW_IN_CATEGORY, "tea"), "您常买的tea有新品", "new in tea, a category you buy"),
    ((reasons.GOES_WITH_CART, "7", "{cup}"), "与购物车里的{cup}搭配", "goes with {cup} in your cart"),
    ((reasons.LIKE_VIEWED, "7", "cup"), "与您看过的cup相似", "like cup, which you viewed lately"),
    ((reasons.DECLARED, "tea", None, None), "您选择的tea", "from tea, as you asked for"),
    ((reasons.DECLARED, "tea", "goal", "sleep"), "根据您的回答“sleep”：tea", "from tea, as you answered: sleep"),
    ((reasons.POPULAR, 12), "近28天有12位会员购买", "bought by 12 members in the last 28 days"),
    ((reasons.POPULAR, 1), "近28天有1位会员购买", "bought by 1 member in the last 28 days"),
]


@pytest.mark.parametrize(("telling", "zh", "en"), TELLINGS)
def test_the_words_fit_the_numbers(telling: Telling, zh: str, en: str) -> None:
    told = why(telling)
    assert (told.code, told.zh, told.en) == (telling[0].code, zh, en)
    assert tuple(told.params.values()) == telling[1:]


def test_every_reason_has_words_in_both_languages() -> None:
    words = {found.code: found for found in vars(reasons).values() if isinstance(found, Words)}
    assert set(words) == set(Reason)
    for code, found in words.items():
        values: tuple[Any, ...] = tuple(
            3 if "days" in name or name in ("mean_gap", "buyers") else "tea" for name in found.params
        )
        told = why((found, *values))
        assert told.code is code
        assert told.en.isascii()
        assert not told.zh.isascii()


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (reasons.due(3, 26, 28), Reason.DUE),
        (reasons.due(3, 26, nan), Reason.AGAIN),
        (reasons.due(3, nan, 28), None),
        (reasons.due(0, nan, nan), None),
        (reasons.again(3, 26), Reason.AGAIN),
        (reasons.again(3, nan), None),
        (reasons.again(0, 26), None),
        (reasons.in_category("tea"), Reason.IN_CATEGORY),
        (reasons.in_category("unknown"), None),
        (reasons.new("tea", bought=True), Reason.NEW_IN_CATEGORY),
        (reasons.new("tea", bought=False), Reason.NEW),
        (reasons.new("unknown", bought=True), Reason.NEW),
        (reasons.popular(12), Reason.POPULAR),
        (reasons.popular(0), Reason.ASSORTMENT),
        (reasons.popular_in("tea", 1), Reason.POPULAR_IN_CATEGORY),
        (reasons.popular_in("unknown", 1), Reason.POPULAR),
        (reasons.popular_in("tea", 0), Reason.ASSORTMENT),
    ],
)
def test_no_reason_is_told_without_its_evidence(told: Telling | None, code: Reason | None) -> None:
    assert (None if told is None else told[0].code) is code
