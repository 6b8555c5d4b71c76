import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.answers.identity import MAX_LENGTH, NAME_LENGTH, RecommendationId, make, parse
from recsys.core.errors import RequestError

PUBLICATION = "2025-03-31-ae372cab32ed"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=NAME_LENGTH)


@given(placement=NAMES, variant=NAMES, version=st.none() | NAMES)
def test_an_id_says_what_it_is_of_in_a_url_too(placement: str, variant: str, version: str | None) -> None:
    text = make(placement, variant, PUBLICATION, version)
    told = parse(text)
    assert told == RecommendationId(told.random, placement, variant, PUBLICATION, version)
    assert quote(text, safe="") == text


def test_the_longest_names_fit() -> None:
    assert len(make("𠮷" * NAME_LENGTH, "b" * NAME_LENGTH, PUBLICATION, "12345")) <= MAX_LENGTH


def test_plain_names_can_be_read() -> None:
    assert re.fullmatch(
        r"r1\.[\w-]{16}\.home\.control\.2025-03-31-ae372cab32ed\.3", make("home", "control", PUBLICATION, "3")
    )


def test_no_two_are_the_same() -> None:
    assert len({make("home", "control", PUBLICATION, None) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30d0e4ff6a5eb7e80f57ea8c",
        "r1.AAAAAAAAAAAAAAAA.home.control.p",
        "r2.AAAAAAAAAAAAAAAA.home.control.p.1",
        "r1.AAAA.home.control.p.1",
        "r1.AAAAAAAAAAAAAAAA..control.p.1",
        "r1.AAAAAAAAAAAAAAAA.home.control.p.1.2",
        "r1.AAAAAAAAAAAAAAAA.~FF.control.p.1",
        "r1.AAAAAAAAAAAAAAAA.~4.control.p.1",
        "r1.AAAAAAAAAAAAAAAA.a b.control.p.1",
        "r1.AAAAAAAAAAAAAAAA.home.control.p.1\n",
        "r1.AAAAAAAAAAAAAAAA.home.control.p." + "1" * MAX_LENGTH,
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert caught.value.fields["field"] == "recommendation_id"
