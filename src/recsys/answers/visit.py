"""A request, looked up: whose it is, what may be used about them, and which rules hold."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recsys.answers.ask import EVERYTHING, Ask, Filters
from recsys.answers.desk import Deal, Desk
from recsys.answers.member import asker
from recsys.answers.own import Own
from recsys.answers.policy import Policy
from recsys.answers.rules import Rules
from recsys.answers.shapes import Source, Standing
from recsys.store.live import NOTHING, Doings, Touch

DAY_SECONDS = 86_400.0

Fetch = Callable[[], Doings | None]
Wanted = tuple[int, str | None, str | None]
"""A category that somebody asked for: its place, and the question and answer that stand for it, None = by name."""


@dataclass(slots=True, eq=False)
class Visit:
    """What an answer is made from; rows are product rows.

    member: the row of a member who may be answered from a history, else None. tags: theirs, as bits.
    personal: whether anything of a history may be used.
    doings: what was done lately, `NOTHING` when it may not be used. unread: it might be used, but could not be read.
    own: the lists of the model that the policy asks for. listed: the member's, best first.
    ignored: unknown products, categories, brands and answers, in this order.
    """

    ask: Ask
    rules: Rules
    policy: Policy
    sold: bytes
    now: float
    standing: Standing
    member: int | None
    personal: bool
    tags: int
    doings: Doings
    unread: bool
    products: tuple[int, ...]
    exclude: tuple[int, ...]
    categories: tuple[int, ...]
    brands: tuple[int, ...]
    wanted: tuple[Wanted, ...]
    own: Own
    listed: list[int]
    ignored: tuple[tuple[str, ...], ...]


def visit(desk: Desk, deal: Deal, ask: Ask, fetch: Fetch, now: float) -> Visit:
    """Look a request up.

    fetch: is called only if something of a history may be used, once; None = it cannot be told, which leaves the
    published lists to answer from.
    """
    who = asker(desk.publication, ask.member_id, personalised=ask.personalised)
    personal = ask.personalised and who.standing is not Standing.OPTED_OUT
    doings: Doings | None = NOTHING
    if personal and (ask.member_id is not None or ask.anonymous_id is not None):
        doings = fetch()
    at = deal.variant(ask.member_id or ask.anonymous_id) if personal else len(deal.edges)
    member = who.row
    row = desk.row
    products, no_products = _rows(row, ask.products)
    exclude, nor_these = _rows(row, ask.exclude)
    filters = ask.filters
    categories, no_categories = _rows(desk.publication.category_row, filters.categories)
    brands, no_brands = _rows(desk.publication.brand_row, filters.brands)
    wanted, no_answers = _wanted(desk, ask, member)
    own = desk.own[deal.rules[at].policy.model]
    return Visit(
        ask=ask,
        rules=deal.rules[at],
        policy=deal.rules[at].policy,
        sold=deal.sold[at],
        now=now,
        standing=who.standing,
        member=member,
        personal=personal,
        tags=0 if member is None else desk.tags[member],
        doings=doings or NOTHING,
        unread=doings is None,
        products=products,
        exclude=exclude,
        categories=categories,
        brands=brands,
        wanted=wanted,
        own=own,
        listed=[] if member is None else own.recommend.rows(member).tolist(),
        ignored=(no_products + nor_these, no_categories, no_brands, no_answers),
    )


def not_due(desk: Desk, visit: Visit) -> set[int]:
    """Return what the member has no need of yet: durable products bought lately, and what was bought since.

    A product bought since the publication comes back after the policy's share of the member's usual gap, or after its
    `rest_days` where no gap is known; a durable one after its `recent_days`.
    """
    policy, rows = visit.policy, set[int]()
    if visit.member is not None:
        bought = desk.lists.bought
        start, stop = bought.start[visit.member], bought.start[visit.member + 1]
        if start < stop:
            stop = bisect_left(bought.columns["days_since"], policy.recent_days, start, stop)
            rows.update(bought.other[start:stop].tolist())
    for product_id, moment in visit.doings.bought:
        row = desk.row(product_id)
        if row is not None and (visit.now - moment) / DAY_SECONDS < _rest(desk, visit, row):
            rows.add(row)
    return rows


def _rest(desk: Desk, visit: Visit, row: int) -> float:
    """Return for how many days a product that was bought stays away."""
    policy = visit.policy
    if desk.shelf.consumable[row] == 0:
        return policy.recent_days
    if visit.member is None or row not in visit.listed:
        return policy.rest_days
    recommend = visit.own.recommend
    gap = recommend.columns["mean_gap"][recommend.start[visit.member] + visit.listed.index(row)]
    return policy.due_share * gap if gap > 0 else policy.rest_days


def shown_enough(desk: Desk, visit: Visit) -> set[int]:
    """Return what was shown as often today as the policy lets it be."""
    cap = visit.policy.caps.product_per_day
    if cap is None:
        return set()
    rows = (desk.row(product_id) for product_id, times in visit.doings.shown.items() if times >= cap)
    return {row for row in rows if row is not None}


def touched(
    desk: Desk, visit: Visit, touches: tuple[Touch, ...], bought: dict[str, float], known: tuple[int, ...] = ()
) -> list[int]:
    """List the products of the newest doings of a kind, as many as the policy looks at, that were not bought since.

    bought: product id -> when it was last bought lately. known: rows that go before them.
    """
    n, rows, row_of = visit.policy.live.touches, list(known), desk.row
    for product_id, moment in touches:
        if len(rows) >= n:
            break
        if product_id in bought and bought[product_id] >= moment:
            continue
        row = row_of(product_id)
        if row is not None and row not in rows:
            rows.append(row)
    return rows


def viewed_by_request(desk: Desk, visit: Visit) -> tuple[int, ...]:
    """List what the request says was viewed lately, as far as the policy looks and a history may be looked at."""
    if not (visit.personal and visit.ask.recent):
        return ()
    rows = _rows(desk.row, visit.ask.recent)[0]
    return tuple(dict.fromkeys(rows))[: visit.policy.live.touches]


def in_cart(desk: Desk, visit: Visit) -> Iterable[int]:
    """List what lies in the cart: nobody needs to be told of it."""
    rows = (desk.row(product_id) for product_id, _ in visit.doings.cart)
    return (row for row in rows if row is not None)


def filter_of(desk: Desk, visit: Visit) -> Callable[[int], bool] | None:
    """Return whether a product is what the request wants; None = it wants everything."""
    filters: Filters = visit.ask.filters
    if filters is EVERYTHING or filters == EVERYTHING:
        return None
    categories = set(visit.categories) if filters.categories else None
    brands = set(visit.brands) if filters.brands else None
    priced = filters.price_min is not None or filters.price_max is not None
    low = -1.0 if filters.price_min is None else filters.price_min
    high = float("inf") if filters.price_max is None else filters.price_max
    shelf = desk.shelf

    def suits(row: int) -> bool:
        if categories is not None and shelf.category[row] not in categories:
            return False
        if brands is not None and shelf.brand[row] not in brands:
            return False
        return not priced or low <= shelf.price[row] <= high

    return suits


def price_band(desk: Desk, visit: Visit) -> tuple[float, float] | None:
    """Return the price levels that suit the member; None = all, or nothing is known."""
    slack = visit.policy.price_band
    if slack is None or visit.member is None:
        return None
    low, high = (float(desk.publication.price_band[name][visit.member]) for name in ("low", "high"))
    return (low * (1 - slack), high * (1 + slack)) if low <= high else None


def source_rules(visit: Visit) -> tuple[Source, ...]:
    """List a placement's own sources and then its fallback, each once."""
    return tuple(dict.fromkeys((*(rule.name for rule in visit.policy.sources), *visit.policy.fallback)))


def _wanted(desk: Desk, ask: Ask, member: int | None) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
    """Return the categories asked for, each once, and what is not known of the request's answers and preferences."""
    questions = desk.placements.questions
    if not (ask.answers or ask.preferences or (questions and member is not None)):
        return (), ()
    wanted: dict[int, Wanted] = {}
    ignored: list[str] = []
    place = desk.publication.category_row
    for category in ask.preferences:
        row = place(category)
        if row is None:
            ignored.append(category)
        else:
            wanted.setdefault(row, (row, None, None))
    given = [(question, answer) for question, answers in ask.answers.items() for answer in answers]
    if member is not None:
        given += _declared(desk, ask, member)
    for question, answer in given:
        known = questions.get(question)
        categories = None if known is None else known.answers.get(answer)
        if categories is None:
            ignored.append(f"{question}: {answer}")
        for row in map(place, categories or ()):
            if row is not None:
                wanted.setdefault(row, (row, question, answer))
    return tuple(wanted.values()), tuple(ignored)


def _declared(desk: Desk, ask: Ask, member: int) -> list[tuple[str, str]]:
    """List the answers that the mall keeps of a member, to questions that the request does not answer."""
    asked = {
        question.attribute: name
        for name, question in desk.placements.questions.items()
        if question.attribute is not None and name not in ask.answers
    }
    if not asked:
        return []
    kept = desk.publication.member_attributes(member)
    told = ((asked[name], text.split(",")) for name, text in kept.items() if name in asked)
    known = desk.placements.questions
    return [
        (question, answer)
        for question, answers in told
        for answer in map(str.strip, answers)
        if answer in known[question].answers
    ]


def _rows(row: Callable[[str], int | None], names: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Split names into the rows of those known and the names of the others."""
    if not names:
        return (), ()
    found = [(name, row(name)) for name in names]
    return tuple(row for _, row in found if row is not None), tuple(name for name, row in found if row is None)
