"""What may name a pair of a member and an item, and what each source thinks of it."""

from enum import IntEnum

from recsys.features.expression import NEVER, Draft, number, text
from recsys.features.level import Level


class Source(IntEnum):
    """What may name a pair; a pair that several name carries the first one."""

    HISTORY = 0
    TIFU = 1
    UPCF = 2
    NEIGHBOUR = 3
    BM25 = 4
    ALS = 5
    KIN = 6
    POPULAR = 7
    LAUNCH = 8

    @property
    def label(self) -> str:
        """The text of the source feature."""
        return self.name.lower()


SCORED = (Source.TIFU, Source.UPCF, Source.NEIGHBOUR, Source.BM25, Source.ALS)
"""The sources that give every pair a score."""


def scores(level: Level) -> tuple[Draft, ...]:
    """Draft features over `candidate_<level>`."""
    own = level.own
    return (
        text(
            f"{own}_source",
            NEVER,
            f"first that named it of {', '.join(source.label for source in Source)}",
            "source",
        ),
        number(
            f"{own}_history_score",
            "points",
            NEVER,
            "sum over the days the member bought it of 8 within 28 days, 4 within 84, 2 within 182, else 1",
            "history_score",
        ),
        number(
            f"{own}_tifu_score",
            "score",
            NEVER,
            "TIFU-KNN: alpha * the member's decayed frequency of it + (1 - alpha) * own_*_tifu_near",
            "tifu_score",
        ),
        number(
            f"{own}_tifu_near",
            "score",
            NEVER,
            "mean decayed frequency of it among the members with the nearest decayed frequencies",
            "tifu_near",
        ),
        number(
            f"{own}_tifu_share",
            "share",
            NEVER,
            "the member's decayed frequency of it / those of all items",
            "tifu_share",
        ),
        number(
            f"{own}_upcf_score",
            "share",
            NEVER,
            "UP-CF@r: share of the latest visits with it, averaged over the member and members alike",
            "upcf_score",
        ),
        number(
            f"{own}_neighbour_score",
            "similarity",
            NEVER,
            "mean similarity to it of the member's factorised items of the last 365 days, weighted by history_score",
            "neighbour_score",
        ),
        number(
            f"{own}_bm25_score",
            "similarity",
            NEVER,
            "mean BM25 similarity to it of the member's factorised items of the last 365 days, weighted by days",
            "bm25_score",
        ),
        number(
            f"{own}_als_score",
            "score",
            "member or item outside the factorisation",
            "product of the ALS factors of the member and of it",
            "als_score",
        ),
    )
