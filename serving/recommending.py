"""The recommendation of a request: from live doings and the published lists, else less, but not nothing."""

import logging
from dataclasses import replace
from time import time

import orjson

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.recommend import Answered, recommend, recommend_json
from recsys.answers.shapes import Fallback, Recommendation
from recsys.core.errors import RecsysError
from recsys.store.live import Doings
from serving.call import Call
from serving.memory import Fetch
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
    """Answer as `recommendation` does, in JSON at once."""
    desk, now = state.desk, time()

    def fetch() -> Doings | None:
        return state.live.doings(request.member_id, request.anonymous_id, now)

    def make(fetch: Fetch) -> Answered:
        return recommend_json(desk, request.ask(), doings=fetch, now=now)

    try:
        if not request.is_plain():
            return make(fetch)
        key = request.placement, request.member_id, request.anonymous_id, request.k, request.personalised
        return state.memory.answer(desk, key, now, fetch, make)
    except RecsysError:
        raise
    except Exception as error:
        answer = _popular(desk, request.ask(), now, error)
        told = (answer.placement, answer.variant, answer.route, answer.standing, answer.fallbacks, len(answer.items))
        return Answered(orjson.dumps(answer), *told)


def _popular(desk: Desk, ask: Ask, now: float, error: Exception) -> Recommendation:
    _log.error("a recommendation failed; answered without any history", exc_info=error)
    plain = Ask(ask.placement, member_id=ask.member_id, k=ask.k, exclude=ask.exclude, personalised=False)
    answer = recommend(desk, plain, now=now)
    return replace(answer, fallbacks=(POPULAR, *answer.fallbacks))
