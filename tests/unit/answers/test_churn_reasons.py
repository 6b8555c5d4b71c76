import pytest

from recsys.answers.churn_reasons import churn_why
from recsys.artifacts.publication_content import ChurnReason


@pytest.mark.parametrize(
    ("code", "values", "zh", "en"),
    [
        (
            "recency",
            {"days_since_purchase": 35.0, "mean_gap": 8.6, "purchase_days": 3.0},
            "上次购买在35天前，平时约每9天一次",
            "last purchase 35 days ago, usually every 9 days",
        ),
        (
            "recency",
            {"days_since_purchase": 35.0, "mean_gap": 8.6, "purchase_days": 2.0},
            "上次购买在35天前",
            "last purchase 35 days ago",
        ),
        ("recency", {"days_since_purchase": 1.0}, "上次购买在1天前", "last purchase 1 day ago"),
        ("recency", {}, "没有购买记录", "never bought"),
        ("frequency", {"purchase_days_90d": 4.0}, "近90天有4天购买", "bought on 4 of the last 90 days"),
        (
            "trend",
            {"purchase_days_trend_30d": -0.5},
            "近30天比前30天买得少",
            "bought less often in the last 30 days than in the 30 before",
        ),
        (
            "trend",
            {"purchase_days_trend_30d": 0.0},
            "近30天与前30天买得一样勤",
            "bought as often in the last 30 days as in the 30 before",
        ),
        (
            "trend",
            {"money_trend_90d": 0.2},
            "近90天比前90天花得多",
            "paid more in the last 90 days than in the 90 before",
        ),
        ("trend", {}, "近60天没有购买", "nothing bought in the last 60 days"),
        (
            "spend",
            {"money_90d": 120.5, "money_per_purchase_day_90d": 40.0},
            "近90天消费120.5，平均每次40",
            "paid 120.5 in the last 90 days, 40 a visit",
        ),
        (
            "contact",
            {"contacts_365d": 1.0, "days_since_contact": 3.0},
            "近一年触达1次，上次在3天前",
            "reached once in the last year, 3 days ago last",
        ),
        ("contact", {"contacts_365d": 0.0}, "近一年没有活动触达", "reached by no campaign in the last year"),
        ("returns", {"return_rate": 0.25}, "退货占25%", "25% brought back"),
        ("profile", {"tier": "金卡"}, "会员资料：等级金卡", "who the member is: tier 金卡"),
        ("habit", {"main_store": "12"}, "购买习惯：常在12", "when and where the member buys: mostly at 12"),
    ],
)
def test_words_hold_the_members_own_values(code: str, values: dict[str, float | str], zh: str, en: str) -> None:
    told = churn_why(ChurnReason(code), 0.4, values)
    assert (told.zh, told.en, told.share) == (zh, en, 0.4)
    assert all(told.params[name] == value for name, value in values.items())


@pytest.mark.parametrize("code", list(ChurnReason))
@pytest.mark.parametrize("value", [None, 0.0, 1.0, -1.0, 37.4])
def test_every_reason_has_words_whatever_is_known(code: ChurnReason, value: float | None) -> None:
    names = churn_why(code, 1.0, {}).params
    told = churn_why(code, 1.0, dict.fromkeys(names, value))
    assert told.code is code
    assert told.zh
    assert told.en
    assert "None" not in told.zh + told.en
