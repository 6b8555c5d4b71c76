from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from recsys.artifacts.tagging.formats import preferred_format
from recsys.artifacts.tagging.settings import Formats
from recsys.core.time import AsOf
from tests.shop import START, at, store

DAY = 100
AS_OF = AsOf(START, "Asia/Shanghai").plus(days=DAY)
FORMATS = Formats(
    words={"text_image": ("图文",), "video": ("短视频", "直播")},
    sources={"抖音": "video", "小红书": "text_image"},
    held_out=("对照",),
)
Sent = tuple[str, int, str | None, str | None]


def liked(
    root: Path,
    sent: Sequence[Sent],
    bought: Sequence[tuple[str, int]],
    sources: dict[str, str | None],
    formats: Formats = FORMATS,
) -> dict[str, str | None]:
    """Return what each member likes. sent: member, day, format, arm. bought: member, day."""
    members = sorted(sources)
    frames = {
        "orders": pd.DataFrame(
            [
                {
                    "order_id": str(n),
                    "member_id": who,
                    "product_id": "p",
                    "ordered_at": at(day),
                    "quantity": 1.0,
                    "amount": 1.0,
                }
                for n, (who, day) in enumerate([*bought, ("nobody", 0)])
            ]
        ),
        "contacts": pd.DataFrame(
            [
                {"campaign_id": f"c{n}", "member_id": who, "sent_at": at(day), "content_format": how, "arm": arm}
                for n, (who, day, how, arm) in enumerate(sent)
            ],
            columns=["campaign_id", "member_id", "sent_at", "content_format", "arm"],
        ),
    }
    tables = store(root, _days(frames))
    told = pd.DataFrame({"member_id": members, "source_channel": [sources[one] for one in members]})
    with tables.at(AS_OF).connect() as connection:
        frame = preferred_format(connection, AS_OF.number, formats, told)
    return dict(zip(frame["member_id"], frame["liked_format"], strict=True))


def _days(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: frame for name, frame in frames.items() if len(frame)}


def answering(who: str, how: str, days: Sequence[int], answered: int) -> tuple[list[Sent], list[tuple[str, int]]]:
    return [(who, day, how, None) for day in days], [(who, day + 2) for day in days[:answered]]


def test_who_answers_videos_and_not_texts_likes_videos_and_who_answers_neither_more_likes_none(tmp_path: Path) -> None:
    sent: list[Sent] = []
    bought: list[tuple[str, int]] = []
    for who, to_text, to_video in (("爱看", 0, 3), ("爱读", 3, 0), ("all", 3, 3), ("never", 0, 0)):
        for how, days, answered in (("图文", (0, 20, 40), to_text), ("短视频", (10, 30, 50), to_video)):
            more = answering(who, how, days, answered)
            sent, bought = sent + more[0], bought + more[1]
    told = liked(tmp_path, sent, bought, dict.fromkeys(("爱看", "爱读", "all", "never")))
    assert told == {"爱看": "video", "爱读": "text_image", "all": None, "never": None}


def test_without_contacts_the_source_tells_and_an_unknown_source_tells_nothing(tmp_path: Path) -> None:
    told = liked(tmp_path, [], [], {"a": "抖音", "b": "小红书", "c": None, "d": "门店"})
    assert told == {"a": "video", "b": "text_image", "c": None, "d": None}


def test_without_formats_nobody_likes_one(tmp_path: Path) -> None:
    assert liked(tmp_path, [], [], {"a": "抖音"}, Formats()) == {"a": None}


@pytest.mark.parametrize(
    ("how", "arm", "day"),
    [("短视频", "对照", 10), ("bogus", None, 10), (None, None, 10), ("短视频", None, DAY - 6)],
    ids=["held out", "of no known format", "of no format", "not a week ago"],
)
def test_contacts_that_say_nothing_count_for_nothing(
    tmp_path: Path, how: str | None, arm: str | None, day: int
) -> None:
    sent: list[Sent] = [("a", day, how, arm)] * 1 + [("b", 10, "图文", None), ("b", 30, "短视频", None)]
    told = liked(tmp_path, sent, [("a", day + 1), ("b", 11), ("b", 31)], {"a": None, "b": None})
    assert told["a"] is None


def test_a_coupon_that_everybody_answers_is_no_liking(tmp_path: Path) -> None:
    sent: list[Sent] = []
    bought: list[tuple[str, int]] = []
    who = [f"会员{n}" for n in range(20)]
    for one in who:
        more = answering(one, "图文", (0, 20, 40), 3)
        sent, bought = sent + more[0], bought + more[1]
        sent += [(one, day, "短视频", None) for day in (10, 30, 50)]
    assert set(liked(tmp_path, sent, bought, dict.fromkeys(who)).values()) == {None}
