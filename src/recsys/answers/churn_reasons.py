"""The words of what moves a churn score, in Chinese and English, with the member's own values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys.answers.shapes import ChurnWhy, Scalar
from recsys.artifacts.publication_content import ChurnReason

USUAL_PURCHASE_DAYS = 3
"""A usual gap takes so many purchase days: one gap is no habit."""

Values = Mapping[str, Scalar]
Words = tuple[str, str]


def churn_why(code: ChurnReason, share: float, values: Values) -> ChurnWhy:
    """Put a reason in words.

    values: the member's features by name; what is unknown or not there is left unsaid.
    """
    telling = _TELLINGS[code]
    params = {name: values.get(name) for name in telling.names}
    zh, en = telling.words(params)
    return ChurnWhy(code, params, zh, en, share)


@dataclass(frozen=True)
class _Telling:
    """names: features that the words speak of. words: (Chinese, English), whichever of them are unknown."""

    names: tuple[str, ...]
    words: Callable[[Values], Words]


def _recency(values: Values) -> Words:
    since, gap = _whole(values["days_since_purchase"]), _whole(values["mean_gap"])
    if since is None:
        return "没有购买记录", "never bought"
    zh, en = f"上次购买在{since}天前", f"last purchase {_days(since)} ago"
    if not gap or (_whole(values["purchase_days"]) or 0) < USUAL_PURCHASE_DAYS:
        return zh, en
    return f"{zh}，平时约每{gap}天一次", f"{en}, usually every {_days(gap) if gap > 1 else 'day'}"


def _frequency(values: Values) -> Words:
    days = _whole(values["purchase_days_90d"]) or 0
    return f"近90天有{days}天购买", f"bought on {days} of the last 90 days"


def _trend(values: Values) -> Words:
    visits, money = values["purchase_days_trend_30d"], values["money_trend_90d"]
    if isinstance(visits, int | float):
        if visits == 0:
            return "近30天与前30天买得一样勤", "bought as often in the last 30 days as in the 30 before"
        zh, en = ("勤", "more") if visits > 0 else ("少", "less")
        return f"近30天比前30天买得{zh}", f"bought {en} often in the last 30 days than in the 30 before"
    if isinstance(money, int | float) and money != 0:
        zh, en = ("多", "more") if money > 0 else ("少", "less")
        return f"近90天比前90天花得{zh}", f"paid {en} in the last 90 days than in the 90 before"
    return "近60天没有购买", "nothing bought in the last 60 days"


def _tenure(values: Values) -> Words:
    days = _whole(values["days_since_first_purchase"])
    return (
        ("首次购买时间未知", "first purchase unknown")
        if days is None
        else (
            f"首次购买在{days}天前",
            f"first purchase {_days(days)} ago",
        )
    )


def _spend(values: Values) -> Words:
    money, visit = _money(values["money_90d"]) or "0", _money(values["money_per_purchase_day_90d"])
    zh, en = f"近90天消费{money}", f"paid {money} in the last 90 days"
    return (zh, en) if visit is None else (f"{zh}，平均每次{visit}", f"{en}, {visit} a visit")


def _breadth(values: Values) -> Words:
    categories, products = (_whole(values[name]) or 0 for name in ("categories_90d", "products_90d"))
    return (
        f"近90天买过{categories}个品类、{products}种商品",
        f"categories bought in the last 90 days: {categories}, products: {products}",
    )


def _novelty(values: Values) -> Words:
    share = _percent(values["exploration_rate_90d"])
    if share is None:
        return "近90天没有尝试新商品", "tried nothing new in the last 90 days"
    return f"近90天买的商品中{share}是第一次买", f"{share} of the products bought in the last 90 days were first tries"


def _promotion(values: Values) -> Words:
    share = _percent(values["discounted_line_share"])
    if share is None:
        return "没有优惠记录", "no discount known"
    return f"购买中{share}有优惠", f"{share} of what was bought was discounted"


def _contact(values: Values) -> Words:
    contacts, since = _whole(values["contacts_365d"]) or 0, _whole(values["days_since_contact"])
    if not contacts or since is None:
        return "近一年没有活动触达", "reached by no campaign in the last year"
    return (
        f"近一年触达{contacts}次，上次在{since}天前",
        f"reached {_times(contacts)} in the last year, {_days(since)} ago last",
    )


def _visit(values: Values) -> Words:
    events, since = _whole(values["events_90d"]) or 0, _whole(values["days_since_event"])
    if not events or since is None:
        return "近90天没有浏览等行为", "no view, search or cart in the last 90 days"
    return (
        f"近90天浏览等行为{events}次，上次在{since}天前",
        f"looked around {_times(events)} in the last 90 days, {_days(since)} ago last",
    )


def _habit(values: Values) -> Words:
    parts = [
        (f"常在{store}", f"mostly at {store}")
        for store in (values["main_store"] or values["main_channel"],)
        if store is not None
    ]
    share = _percent(values["weekend_share"])
    if share is not None:
        parts.append((f"{share}在周末", f"{share} at weekends"))
    zh, en = ("，".join(part[0] for part in parts), ", ".join(part[1] for part in parts))
    return f"购买习惯：{zh or '未知'}", f"when and where the member buys: {en or 'unknown'}"


def _returns(values: Values) -> Words:
    share = _percent(values["return_rate"])
    return ("没有退货", "no returns") if share in (None, "0%") else (f"退货占{share}", f"{share} brought back")


def _profile(values: Values) -> Words:
    tier, points = values["tier"], _whole(values["points_balance"])
    zh = "，".join([*([f"等级{tier}"] if tier is not None else []), *([f"积分{points}"] if points is not None else [])])
    en = ", ".join(
        [*([f"tier {tier}"] if tier is not None else []), *([f"{points} points"] if points is not None else [])]
    )
    return f"会员资料{'：' if zh else ''}{zh}", f"who the member is{': ' if en else ''}{en}"


_TELLINGS: Mapping[ChurnReason, _Telling] = {
    ChurnReason.RECENCY: _Telling(("days_since_purchase", "mean_gap", "purchase_days"), _recency),
    ChurnReason.FREQUENCY: _Telling(("purchase_days_90d",), _frequency),
    ChurnReason.TREND: _Telling(("purchase_days_trend_30d", "money_trend_90d"), _trend),
    ChurnReason.TENURE: _Telling(("days_since_first_purchase",), _tenure),
    ChurnReason.SPEND: _Telling(("money_90d", "money_per_purchase_day_90d"), _spend),
    ChurnReason.BREADTH: _Telling(("categories_90d", "products_90d"), _breadth),
    ChurnReason.NOVELTY: _Telling(("exploration_rate_90d",), _novelty),
    ChurnReason.PROMOTION: _Telling(("discounted_line_share",), _promotion),
    ChurnReason.CONTACT: _Telling(("contacts_365d", "days_since_contact"), _contact),
    ChurnReason.VISIT: _Telling(("events_90d", "days_since_event"), _visit),
    ChurnReason.HABIT: _Telling(("main_store", "main_channel", "weekend_share"), _habit),
    ChurnReason.RETURNS: _Telling(("return_rate",), _returns),
    ChurnReason.PROFILE: _Telling(("tier", "points_balance"), _profile),
    ChurnReason.OTHER: _Telling((), lambda _: ("其他特征", "other features")),
}


def _whole(value: Scalar) -> int | None:
    return round(value) if isinstance(value, int | float) else None


def _percent(value: Scalar) -> str | None:
    return f"{round(100 * value)}%" if isinstance(value, int | float) else None


def _money(value: Scalar) -> str | None:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else None


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
