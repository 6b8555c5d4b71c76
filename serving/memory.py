"""Answers remembered while nothing that they were made of has changed."""

from dataclasses import dataclass

from recsys.answers.desk import Desk
from recsys.answers.identity import prefix
from recsys.answers.recommend import Answered
from recsys.store.live import Glance
from serving.front import Front
from serving.live_reads import LiveReads

SECONDS = 30.0
"""An answer is made anew after this long at the latest, as time itself lets doings and purchases grow old."""
MOST = 4096
"""Answers remembered; some kilobytes each."""

Key = tuple[str, str | None, str | None, int, bool]
"""Placement, member, visitor, k and whether it may be personal: all that a request without anything else says."""

_HEAD = b'{"recommendation_id":"'
_ID = len(prefix())


@dataclass(slots=True)
class _Entry:
    """An answer and what it was made of.

    glance: at the live store before doings were read. personal: whether they were read at all.
    rest: the JSON after the random part of the id.
    """

    desk: Desk
    glance: Glance
    personal: bool
    day: int
    until: float
    answer: Answered
    rest: bytes

    def again(self) -> Answered:
        """Return the answer with an id of its own."""
        old = self.answer
        body = _HEAD + prefix().encode() + self.rest
        return Answered(body, old.placement, old.variant, old.route, old.standing, old.fallbacks, old.items)


class Memory:
    """Remembers answers to requests that say nothing particular, for the members who come again."""

    def __init__(self, front: Front, live: LiveReads) -> None:
        self._front = front
        self._live = live
        self._entries: dict[Key, _Entry] = {}

    def recall(self, key: Key, now: float) -> Answered | None:
        """Return the answer to a request, if it would be the same if it were made now.

        Of whoever is answered without doings (they opted out, or are not to be answered personally) nothing is read.
        """
        entry = self._entries.get(key)
        if entry is None or entry.desk is not self._front.laid or now >= entry.until:
            return None
        member_id, anonymous_id = key[1:3] if entry.personal else (None, None)
        if self._live.glance(member_id, anonymous_id) != entry.glance or entry.desk.day.at(now) != entry.day:
            return None
        return entry.again()

    def keep(self, key: Key, answer: Answered, desk: Desk, now: float, glance: Glance, *, personal: bool) -> None:
        """Remember an answer that was made at a desk after a glance at the live store.

        One made with a stock that has changed meanwhile is not remembered.
        """
        if desk is not self._front.laid or glance.stock_version != self._front.version:
            return
        self._entries.pop(key, None)
        if len(self._entries) >= MOST:
            del self._entries[next(iter(self._entries))]
        rest = answer.body[len(_HEAD) + _ID :]
        self._entries[key] = _Entry(desk, glance, personal, desk.day.at(now), now + SECONDS, answer, rest)
