import pytest

from recsys.answers.reasons import why
from recsys.answers.shapes import Scalar
from recsys.artifacts.publication_content import Reason

PARAMS: dict[str, Scalar] = {
    "purchase_days": 3,
    "days_since": 26,
    "mean_gap": 28,
    "category": "tea",
    "with_name": "cup",
    "buyers": 12,
}


@pytest.mark.parametrize(
    ("code", "changes", "zh", "en"),
    [
        (Reason.DUE, {}, "该补货了：约每28天买一次，上次在26天前", "due: bought about every 28 days, last 26 days ago"),
        (
            Reason.DUE,
            {"mean_gap": 1, "days_since": 1},
            "该补货了：约每天买一次，上次在1天前",
            "due: bought about every day, last 1 day ago",
        ),
        (Reason.AGAIN, {}, "买过3次，上次在26天前", "bought 3 times, last 26 days ago"),
        (Reason.AGAIN, {"purchase_days": 1}, "26天前买过", "bought 26 days ago"),
        (Reason.AGAIN, {"purchase_days": 1, "days_since": 1}, "1天前买过", "bought 1 day ago"),
        (Reason.IN_CATEGORY, {}, "您买过的tea", "from tea, which you have bought"),
        (Reason.NEW, {}, "tea新品", "new in tea"),
        (Reason.NEW, {"category": None}, "新品上架", "just launched"),
        (Reason.POPULAR, {}, "近28天有12位会员购买", "bought by 12 members in the last 28 days"),
        (Reason.POPULAR, {"buyers": 1}, "近28天有1位会员购买", "bought by 1 member in the last 28 days"),
    ],
)
def test_the_words_fit_the_numbers(code: Reason, changes: dict[str, Scalar], zh: str, en: str) -> None:
    reason = why(code, PARAMS | changes)
    assert (reason.code, reason.zh, reason.en) == (code, zh, en)


@pytest.mark.parametrize("code", Reason)
def test_every_reason_has_words_in_both_languages(code: Reason) -> None:
    reason = why(code, PARAMS)
    assert reason.code is code
    assert reason.en.isascii()
    assert not reason.zh.isascii()


@pytest.mark.parametrize(
    ("code", "lacking", "told"),
    [
        (Reason.DUE, {"mean_gap": None}, Reason.AGAIN),
        (Reason.DUE, {"mean_gap": None, "days_since": None}, Reason.POPULAR),
        (Reason.AGAIN, {"days_since": None}, Reason.POPULAR),
        (Reason.IN_CATEGORY, {"category": None}, Reason.POPULAR),
        (Reason.POPULAR_IN_CATEGORY, {"category": None}, Reason.POPULAR),
        (Reason.POPULAR_IN_CATEGORY, {"buyers": 0}, Reason.ASSORTMENT),
        (Reason.POPULAR, {"buyers": 0}, Reason.ASSORTMENT),
        (Reason.IN_CATEGORY, {"category": None, "buyers": 0}, Reason.ASSORTMENT),
    ],
)
def test_a_reason_whose_evidence_is_missing_becomes_one_that_needs_less(
    code: Reason, lacking: dict[str, Scalar], told: Reason
) -> None:
    assert why(code, PARAMS | lacking).code is told
