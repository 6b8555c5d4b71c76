"""Answers remembered while nothing that they were made of has changed."""

from collections.abc import Callable
from dataclasses import dataclass

from recsys.answers.desk import Desk
from recsys.answers.identity import prefix
from recsys.answers.recommend import Answered
from recsys.store.live import Doings

SECONDS = 30.0
"""An answer is made anew after this long at the latest, as time itself lets doings and purchases grow old."""
MOST = 4096
"""Answers remembered; some kilobytes each."""

Key = tuple[str, str | None, str | None, int, bool]
"""Placement, member, visitor, k and whether it may be personal: all that a request without anything else says."""
Fetch = Callable[[], Doings | None]

_HEAD = b'{"recommendation_id":"'
_ID = len(prefix())


@dataclass(slots=True)
class _Entry:
    """An answer and what it was made of. doings: None = they were not asked for. rest: the JSON after the random id."""

    doings: Doings | None
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
    """Answers of one desk at a time: another publication, placements or stock make another desk and an empty memory."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._entries: dict[Key, _Entry] = {}

    def answer(self, desk: Desk, key: Key, now: float, fetch: Fetch, make: Callable[[Fetch], Answered]) -> Answered:
        """Return the answer remembered for a key, or make and remember it.

        fetch: gives the doings; called at most once, and only if `make` calls what it is given. What was answered
        without doings that should have been read (None) is not remembered.
        """
        if desk is not self._desk:
            self._desk, self._entries = desk, {}
        entries, day = self._entries, desk.day.at(now)
        entry = entries.get(key)
        doings: Doings | None = None
        asked = False
        if entry is not None and entry.day == day and now < entry.until:
            if entry.doings is None:
                return entry.again()
            doings, asked = fetch(), True
            if doings == entry.doings:
                return entry.again()

        def once() -> Doings | None:
            nonlocal doings, asked
            if not asked:
                doings, asked = fetch(), True
            return doings

        answer = make(once)
        if not asked or doings is not None:
            if len(entries) >= MOST:
                del entries[next(iter(entries))]
            rest = answer.body[len(_HEAD) + _ID :]
            entries[key] = _Entry(doings, day, now + SECONDS, answer, rest)
        return answer
