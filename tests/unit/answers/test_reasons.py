import string

import pytest

from recsys.answers.reasons import _WORDS, why
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


def test_a_due_product_says_how_often_and_how_long_ago() -> None:
    reason = why(Reason.DUE, PARAMS)
    assert reason.en == "due: bought about every 28 days, last 26 days ago"
    assert "28天" in reason.zh
    assert "26天前" in reason.zh


@pytest.mark.parametrize("code", Reason)
def test_every_reason_has_words_in_both_languages(code: Reason) -> None:
    reason = why(code, PARAMS)
    assert reason.code is code
    assert reason.en.isascii()
    assert not reason.zh.isascii()
    for words in _WORDS[code]:
        assert {name for _, name, _, _ in string.Formatter().parse(words) if name} <= set(PARAMS)


def test_a_reason_whose_evidence_is_missing_becomes_one_that_needs_less() -> None:
    assert why(Reason.DUE, {**PARAMS, "mean_gap": None}).code is Reason.AGAIN
    assert why(Reason.DUE, {**PARAMS, "mean_gap": None, "days_since": None}).code is Reason.FOR_YOU
    assert why(Reason.AGAIN, {**PARAMS, "days_since": None}).code is Reason.FOR_YOU
