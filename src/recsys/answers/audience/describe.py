"""A rule in plain Chinese and English."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from recsys.answers.audience.rule import (
    CONTACT_KEYS,
    GOODS_KEYS,
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
from recsys.artifacts.publication import Publication

MAX_NAMES = 5
"""So many names are told of a longer list."""


class Words(NamedTuple):
    """The same in Chinese and English."""

    zh: str
    en: str


def describe(rule: Rule, publication: Publication | None = None) -> Words:
    """Say whom a rule takes.

    publication: for the words that tags, segments and products are known by there; without it, their names stand.
    """
    return _Teller(publication).rule(rule)


class _Teller(NamedTuple):
    publication: Publication | None

    def rule(self, rule: Rule) -> Words:
        match rule:
            case AllOf(()):
                return Words("全部会员", "everybody")
            case AnyOf(()):
                return Words("无人", "nobody")
            case AllOf(rules):
                return _joined([self.inner(one) for one in rules], Words("，且", " and "))
            case AnyOf(rules):
                return _joined([self.inner(one) for one in rules], Words("，或", " or "))
            case NotOf(inner):
                words = self.inner(inner)
                return Words(f"不满足（{words.zh}）", f"not ({words.en})")
            case _:
                return self.leaf(rule)

    def inner(self, rule: Rule) -> Words:
        """Say a part of a rule; what has parts of its own stands in brackets."""
        words = self.rule(rule)
        bare = not isinstance(rule, AllOf | AnyOf) or len(rule.rules) < 2
        return words if bare else Words(f"（{words.zh}）", f"({words.en})")

    def leaf(self, rule: Leaf) -> Words:
        match rule:
            case Tagged():
                return self.tagged(rule)
            case Segmented():
                return self.segmented(rule)
            case Score():
                return self.score(rule)
            case Bought():
                return self.bought(rule)
            case Did():
                return self.did(rule)
            case Contacted():
                return _contacted(rule)

    def tagged(self, rule: Tagged) -> Words:
        column = None if self.publication is None else self.publication.traits.tags.get(rule.tag)
        name = Words(rule.tag, rule.tag) if column is None else Words(column.spec.zh, column.spec.en)
        unit = "" if column is None or column.spec.unit == "-" else column.spec.unit
        if rule.values:
            words = Words(f"{name.zh}为{_or(rule.values).zh}", f"{name.en} is {_or(rule.values).en}")
        elif rule.low is not None or rule.high is not None:
            words = _bounds(
                name, rule.low, rule.high, Words(_UNITS.get(unit, ""), f" {unit}" if unit in _UNITS else "")
            )
        else:
            words = name
        return Words(f"{words.zh}或未知", f"{words.en} or unknown") if rule.unknown else words

    def segmented(self, rule: Segmented) -> Words:
        column = None if self.publication is None else self.publication.traits.segments.get(rule.segment)
        if column is None:
            name, told = Words(rule.segment, rule.segment), {}
        else:
            name = Words(column.spec.zh, column.spec.en)
            told = {value.code: Words(value.zh, value.en) for value in column.spec.values}
        parts = [told.get(code, Words(code, code)) for code in rule.values]
        if rule.unknown:
            parts.append(Words("未知", "none"))
        zh, en = _or([part.zh for part in parts]).zh, _or([part.en for part in parts]).en
        return Words(f"{name.zh}为{zh}", f"{name.en} is {en}")

    def bought(self, rule: Bought) -> Words:
        goods, times = self.goods(rule.goods, Words("任意商品", "anything")), _times(rule)
        if rule.most == 0:
            return Words(f"近{rule.days}天未购买{goods.zh}", f"did not buy {goods.en} in the last {rule.days} days")
        zh = f"近{rule.days}天购买{goods.zh}的天数{times.zh}"
        return Words(zh, f"bought {goods.en} on {times.en} of the last {rule.days} days")

    def did(self, rule: Did) -> Words:
        of = self.goods(rule.goods, Words("", ""))
        zh, en = _EVENTS[rule.event]
        what = Words(f"{zh}{of.zh}", f"{en} of {of.en}" if of.en else en)
        if rule.most == 0:
            return Words(f"近{rule.days}天未{what.zh}", f"no {what.en} in the last {rule.days} days")
        if rule.event == VISIT:
            return Words(
                f"近{rule.days}天{what.zh}的天数{_times(rule).zh}",
                f"visited{f' for {of.en}' if of.en else ''} on {_times(rule).en} of the last {rule.days} days",
            )
        return Words(
            f"近{rule.days}天{what.zh}次数{_times(rule).zh}",
            f"{_times(rule).en} {what.en} in the last {rule.days} days",
        )

    def score(self, rule: Score) -> Words:
        days = Words(f"{rule.within}天内", f" within {rule.within} days") if rule.within else Words("", "")
        what = self.goods(
            Goods(categories=rule.categories, products=() if rule.product_id is None else (rule.product_id,)),
            Words("任意品类", "any category"),
        )
        name = Words(
            *(text.format(zh=what.zh, en=what.en, days_zh=days.zh, days_en=days.en) for text in _SCORES[rule.task])
        )
        if rule.top_share is not None:
            return Words(
                f"{name.zh}最高的{_percent(rule.top_share)}会员", f"top {_percent(rule.top_share)} by {name.en}"
            )
        if rule.low is None and rule.high is None:
            return Words(f"有{name.zh}", f"with a {name.en}")
        return _bounds(name, rule.low, rule.high, Words("", ""))

    def goods(self, goods: Goods, everything: Words) -> Words:
        """Name goods; everything: what is said of none in particular."""
        kinds: dict[str, Words] = {}
        for key, field in GOODS_KEYS.items():
            names = getattr(goods, field)
            if names:
                told = [self.product(name) for name in names] if key == "product" else names
                kinds[key] = _or(told)
        if not kinds:
            return everything
        zh = "且".join(f"{_KINDS[key].zh}“{words.zh}”" for key, words in kinds.items())
        return Words(zh, " and ".join(f"{_KINDS[key].en}{words.en}" for key, words in kinds.items()))

    def product(self, product_id: str) -> str:
        """Return a product's name, its id where it has none."""
        row = None if self.publication is None else self.publication.products.row(product_id)
        name = None if self.publication is None or row is None else self.publication.product(row).name
        return product_id if name is None else name


_EVENTS: Mapping[str, tuple[str, str]] = {
    VISIT: ("到访", "visits"),
    "view": ("浏览", "views"),
    "search": ("搜索", "searches"),
    "favourite": ("收藏", "favourites"),
    "cart": ("加购", "additions to the cart"),
    "check_in": ("签到", "check-ins"),
    "share": ("分享", "shares"),
}

_SCORES: Mapping[str, tuple[str, str]] = {
    "churn": ("流失概率", "probability of leaving"),
    "active": ("近期购买概率", "probability of any purchase"),
    "value": ("预期消费金额", "expected money"),
    "repurchase": ("{days_zh}回购{zh}的概率", "probability of buying {en} again{days_en}"),
    "new_product": ("购买新品{zh}的概率", "probability of trying {en}"),
    "discovery": ("首次购买{zh}的概率", "probability of a first purchase of {en}"),
    "recommend": ("对{zh}的推荐分", "recommendation score of {en}"),
}

_KINDS: Mapping[str, Words] = {
    "category": Words("品类", ""),
    "subcategory": Words("细类", ""),
    "brand": Words("品牌", "brand "),
    "product": Words("商品", ""),
}

_UNITS: Mapping[str, str] = {"days": "天", "months": "个月", "years": "岁", "hour": "点", "points": "分"}

_CONTACTED: Mapping[str, Callable[[Words], Words]] = {
    "channel": lambda names: Words(f"通过{names.zh}", f" by {names.en}"),
    "campaign": lambda names: Words(f"在活动{names.zh}中", f" in campaign {names.en}"),
    "format": lambda names: Words(f"以{names.zh}形式", f" with {names.en}"),
}


def _contacted(rule: Contacted) -> Words:
    names = {key: getattr(rule, field) for key, field in CONTACT_KEYS.items()}
    said = [_CONTACTED[key](_or(given)) for key, given in names.items() if given]
    zh, en = "".join(one.zh for one in said), "".join(one.en for one in said)
    if rule.most == 0:
        return Words(f"近{rule.days}天未{zh}触达", f"not contacted{en} in the last {rule.days} days")
    times = _times(rule)
    return Words(
        f"近{rule.days}天{zh}触达次数{times.zh}", f"contacted{en} {times.en} times in the last {rule.days} days"
    )


def _times(rule: Bought | Did | Contacted) -> Words:
    if rule.most is None:
        return Words(f"至少{rule.least}", f"at least {rule.least}")
    if rule.most == rule.least:
        return Words(f"为{rule.least}", f"exactly {rule.least}" if rule.least else "none")
    if rule.least == 0:
        return Words(f"至多{rule.most}", f"at most {rule.most}")
    return Words(f"为{rule.least}至{rule.most}", f"{rule.least} to {rule.most}")


def _bounds(name: Words, low: float | None, high: float | None, unit: Words) -> Words:
    if low is None:
        return Words(f"{name.zh}低于{high:g}{unit.zh}", f"{name.en} below {high:g}{unit.en}")
    if high is None:
        return Words(f"{name.zh}不低于{low:g}{unit.zh}", f"{name.en} at least {low:g}{unit.en}")
    return Words(f"{name.zh}不低于{low:g}且低于{high:g}{unit.zh}", f"{name.en} from {low:g} to below {high:g}{unit.en}")


def _or(names: Iterable[str]) -> Words:
    """Join names by or; of many, the first and how many more."""
    every = list(names)
    told, more = every[:MAX_NAMES], len(every) - MAX_NAMES
    zh, en = "、".join(told), " or ".join(told)
    return Words(f"{zh}等{len(every)}个", f"{en} or {more} more") if more > 0 else Words(zh, en)


def _joined(parts: list[Words], by: Words) -> Words:
    return Words(by.zh.join(part.zh for part in parts), by.en.join(part.en for part in parts))


def _percent(share: float) -> str:
    return f"{share * 100:g}%"
