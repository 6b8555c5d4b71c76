"""The recommendation of a request: from live doings and the published lists, else less, but not nothing."""

import logging
from dataclasses import dataclass, replace
from time import time

import orjson

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.recommend import Answered, recommend, recommend_json
from recsys.answers.shapes import Fallback, Recommendation
from recsys.core.errors import RecsysError
from recsys.store.live import Doings, Glance
from serving.call import Call
from serving.memory import Key
from serving.schemas import RecommendRequest
from serving.state import State

POPULAR = Fallback("popular", "the lists could not be answered from; the service's log says why")

_log = logging.getLogger("recsys.serving")


def recommendation(state: State, request: RecommendRequest, _: Call) -> Recommendation:
    """Answer a request with an object.

    In this order, each told in the answer: by what was done lately; without it when it cannot be read; and without any
    history when the answer fails in a way that nobody foresaw.
    """
    desk, ask, now = state.desk, request.ask(), time()
    try:
        return recommend(desk, ask, doings=lambda: state.live.doings(ask.member_id, ask.anonymous_id, now), now=now)
    except RecsysError:
        raise
    except Exception as error:
        return _popular(desk, ask, now, error)


def recommendation_json(state: State, request: RecommendRequest, _: Call) -> Answered:
    """Answer as `recommendation` does, in JSON at once, and from memory when nothing has changed."""
    now = time()
    if not request.is_plain():
        return _made(state, request, now)[0]
    key = request.placement, request.member_id, request.anonymous_id, request.k, request.personalised
    answer = state.memory.recall(key, now)
    if answer is None:
        answer = _remembered(state, request, key, now)
    return answer


def _remembered(state: State, request: RecommendRequest, key: Key, now: float) -> Answered:
    """Make an answer and remember it, unless the live store could not be read."""
    answer, desk, look = _made(state, request, now)
    glance = look.glance if look.personal else state.live.glance(None, None)
    if glance is not None and state.live.trouble is None:
        state.memory.keep(key, answer, desk, now, glance, personal=look.personal)
    return answer


@dataclass(slots=True)
class _Look:
    """Whether doings were asked for, and a glance at the live store before they were read.

    Asked for and without a glance: not to be remembered.
    """

    personal: bool = False
    glance: Glance | None = None


def _made(state: State, request: RecommendRequest, now: float) -> tuple[Answered, Desk, _Look]:
    """Make an answer; return it, the desk it was made at, and how the live store was looked at."""
    desk, ask, look = state.desk, request.ask(), _Look()

    def fetch() -> Doings | None:
        look.personal, look.glance = True, state.live.glance(ask.member_id, ask.anonymous_id)
        return state.live.doings(ask.member_id, ask.anonymous_id, now)

    try:
        answer = recommend_json(desk, ask, doings=fetch, now=now)
    except RecsysError:
        raise
    except Exception as error:
        plain = _popular(desk, ask, now, error)
        told = (plain.placement, plain.variant, plain.route, plain.standing, plain.fallbacks, len(plain.items))
        answer, look = Answered(orjson.dumps(plain), *told), _Look(personal=True)
    return answer, desk, look


def _popular(desk: Desk, ask: Ask, now: float, error: Exception) -> Recommendation:
    _log.error("a recommendation failed; answered without any history", exc_info=error)
    plain = Ask(ask.placement, member_id=ask.member_id, k=ask.k, exclude=ask.exclude, personalised=False)
    answer = recommend(desk, plain, now=now)
    return replace(answer, fallbacks=(POPULAR, *answer.fallbacks))
