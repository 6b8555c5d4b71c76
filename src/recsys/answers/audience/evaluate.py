"""Rules to members: masks over the publication's columns, and counts over the days of its facts."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recsys.answers.audience.rule import (
    VISIT,
    AllOf,
    AnyOf,
    Bought,
    Contacted,
    Did,
    Goods,
    Leaf,
    NotOf,
    Rule,
    Score,
    Segmented,
    Tagged,
)
from recsys.answers.audience.scores import Scores, categories_mask, chosen
from recsys.answers.errors import UnknownError
from recsys.artifacts.facts import DayFacts
from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.spec import Kind
from recsys.core.errors import RequestError


def members(publication: Publication, rule: Rule, at: str = "rule", *, scores: Scores | None = None) -> "np.ndarray":
    """(members,) whom the rule takes; members who opted out have no row and are never among them.

    at: how the rule is called in errors. scores: those of the publication that were worked out before.
    `UnknownError` names the node whose tag, segment, part, category, brand, product, channel or campaign is not there;
    `RequestError` the node that asks a tag for what it cannot tell.
    """
    return _Evaluation(publication, scores or Scores(publication)).take(rule, at)


@dataclass(frozen=True)
class _Evaluation:
    publication: Publication
    scores: Scores

    def take(self, rule: Rule, at: str) -> "np.ndarray":
        match rule:
            case AllOf(rules):
                taken = np.ones(len(self.publication.members), dtype=np.bool_)
                for place, one in enumerate(rules):
                    taken &= self.take(one, f"{at}.all.{place}")
                return taken
            case AnyOf(rules):
                taken = np.zeros(len(self.publication.members), dtype=np.bool_)
                for place, one in enumerate(rules):
                    taken |= self.take(one, f"{at}.any.{place}")
                return taken
            case NotOf(inner):
                return ~self.take(inner, f"{at}.not")
            case _:
                return self._leaf(rule, at)

    def _leaf(self, rule: Leaf, at: str) -> "np.ndarray":
        match rule:
            case Tagged():
                return self._tagged(rule, at)
            case Segmented():
                return self._segmented(rule, at)
            case Bought():
                return self._bought(rule, at)
            case Did():
                return self._did(rule, at)
            case Score():
                return chosen(rule, self.scores.of(rule, at), at)
            case Contacted():
                return self._contacted(rule, at)

    def _tagged(self, rule: Tagged, at: str) -> "np.ndarray":
        column = self.publication.traits.tags.get(rule.tag)
        if column is None:
            raise UnknownError(f"{at}.tag", f"{rule.tag!r} is no known tag")
        kind, values = column.spec.kind, column.values
        asks_bounds = rule.low is not None or rule.high is not None
        if rule.values and kind is not Kind.TEXT:
            raise RequestError(f"{at}.is", f"is not taken: {rule.tag} is a {kind}")
        if asks_bounds and kind is not Kind.NUMBER:
            bound = "min" if rule.low is not None else "max"
            raise RequestError(f"{at}.{bound}", f"is not taken: {rule.tag} is a {kind}")
        if kind is Kind.FLAG:
            return np.array(values, dtype=np.bool_)
        if kind is Kind.TEXT:
            known = values >= 0
            taken = np.isin(values, _places(column.labels, rule.values, f"{at}.is")) if rule.values else known
        else:
            known = np.isfinite(values)
            taken = known.copy()
            if rule.low is not None:
                taken &= values >= rule.low
            if rule.high is not None:
                taken &= values < rule.high
        return np.asarray(taken | ~known if rule.unknown else taken)

    def _segmented(self, rule: Segmented, at: str) -> "np.ndarray":
        column = self.publication.traits.segments.get(rule.segment)
        if column is None:
            raise UnknownError(f"{at}.segment", f"{rule.segment!r} is no known segmentation")
        codes = column.spec.codes
        unknown = next((place for place, name in enumerate(rule.values) if name not in codes), None)
        if unknown is not None:
            raise UnknownError(f"{at}.is.{unknown}", f"{rule.values[unknown]!r} is none of {', '.join(codes)}")
        places = [codes.index(name) for name in rule.values] + ([-1] if rule.unknown else [])
        return np.isin(column.values, places)

    def _bought(self, rule: Bought, at: str) -> "np.ndarray":
        wanted = self._goods(rule.goods, f"{at}.bought") if rule.goods else None
        return self._on_days(rule, self.publication.facts.purchases, wanted)

    def _did(self, rule: Did, at: str) -> "np.ndarray":
        facts = self.publication.facts
        wanted = self._goods(rule.goods, f"{at}.of") if rule.goods else None
        if rule.event == VISIT:
            return self._on_days(rule, facts.events, wanted)
        code = facts.event_types.index(rule.event) if rule.event in facts.event_types else None
        counts = np.zeros(len(self.publication.members), dtype=np.int64)
        if code is not None:
            span = facts.events.span(rule.days)
            taken = facts.events.columns["type"][span] == code
            if wanted is not None:
                taken &= _of(wanted, facts.events.columns["product"][span])
            counts = np.bincount(facts.events.member[span][taken], minlength=len(counts))
        return self._between(rule, counts)

    def _contacted(self, rule: Contacted, at: str) -> "np.ndarray":
        facts = self.publication.facts
        contacts, span = facts.contacts, facts.contacts.span(rule.days)
        taken = np.ones(span.stop - span.start, dtype=np.bool_)
        asked = {
            "channel": (facts.channels, rule.channels),
            "campaign": (facts.campaigns, rule.campaigns),
            "format": (facts.formats, rule.formats),
        }
        for name, (known, wanted) in asked.items():
            if wanted:
                places = _places(known, wanted, f"{at}.contacted.{name}")
                taken &= np.isin(contacts.columns[name][span], places)
        counts = np.bincount(contacts.member[span][taken], minlength=len(self.publication.members))
        return self._between(rule, counts)

    def _goods(self, goods: Goods, at: str) -> "np.ndarray":
        """(products + 1,) whether a product is one of the goods; the last, for no product, is none."""
        publication = self.publication
        taken = np.ones(len(publication.products) + 1, dtype=np.bool_)
        taken[-1] = False
        if goods.categories:
            wanted = categories_mask(publication, goods.categories, f"{at}.category")
            taken[:-1] &= wanted[publication.product_category]
        if goods.subcategories:
            taken[:-1] &= _named(publication, goods.subcategories, f"{at}.subcategory")
        if goods.brands:
            brands = _places(publication.brands, goods.brands, f"{at}.brand")
            taken[:-1] &= np.isin(publication.product_brand, brands)
        if goods.products:
            own = np.zeros(len(taken), dtype=np.bool_)
            for place, product in enumerate(goods.products):
                row = publication.products.row(product)
                if row is None:
                    raise UnknownError(f"{at}.product.{place}", f"{product!r} is no known product")
                own[row] = True
            taken &= own
        return taken

    def _on_days(self, rule: Bought | Did, facts: DayFacts, wanted: "np.ndarray | None") -> "np.ndarray":
        """(members,) by on how many of the last days there is a fact with such a product, or any fact.

        A day at a time: assignment by index adds once to whoever stands in it, however often.
        """
        counts = np.zeros(len(self.publication.members), dtype=np.int16)
        for low, high in pairwise(facts.start[max(0, facts.days - rule.days) :].tolist()):
            who = facts.member[low:high]
            if wanted is not None:
                who = who[_of(wanted, facts.columns["product"][low:high])]
            counts[who] += 1
        return self._between(rule, counts)

    def _between(self, rule: Bought | Did | Contacted, counts: "np.ndarray") -> "np.ndarray":
        taken = counts >= rule.least
        return np.asarray(taken if rule.most is None else taken & (counts <= rule.most))


def _of(wanted: "np.ndarray", products: "np.ndarray") -> "np.ndarray":
    """(facts,) whether the product is wanted; -1 = no product stands last in `wanted`."""
    return np.asarray(wanted[products])


def _places(known: tuple[str, ...], names: Iterable[str], at: str) -> list[int]:
    """Return where names stand among those known; `UnknownError` names the first that does not."""
    places = {name: place for place, name in enumerate(known)}
    found = []
    for place, name in enumerate(names):
        if name not in places:
            raise UnknownError(f"{at}.{place}", f"{name!r} is not known")
        found.append(places[name])
    return found


def _named(publication: Publication, subcategories: tuple[str, ...], at: str) -> "np.ndarray":
    """(products,) whether a product is of one of the finer kinds, of whatever category."""
    texts = publication.products.texts
    codes = texts.codes("subcategory")
    known = {str(texts.at("subcategory", row)): codes[row] for row in _first(codes) if codes[row] >= 0}
    at_place = _places(tuple(known), subcategories, at)
    wanted = tuple(known.values())
    return np.isin(codes, [wanted[place] for place in at_place])


def _first(codes: "np.ndarray") -> list[int]:
    """Return the place at which each distinct code stands first."""
    return [int(place) for place in np.unique(codes, return_index=True)[1]]
