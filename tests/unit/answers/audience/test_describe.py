from typing import Any

import pytest

from recsys.answers.audience.describe import describe
from recsys.answers.audience.parse import parse_rule
from recsys.artifacts.publication import Publication

HANDBOOK = {
    "all": [
        {"tag": "city", "is": ["北京"]},
        {"event": "visit", "days": 90, "min": 3},
        {"bought": {}, "days": 90},
        {"bought": {"brand": ["X"]}, "days": 7, "max": 0},
    ]
}
HANDBOOK_EN = (
    "city is 北京 and visited on at least 3 of the last 90 days and bought anything on at least 1 of the last 90 days "
    "and did not buy brand X in the last 7 days"
)


@pytest.mark.parametrize(
    ("data", "zh", "en"),
    [
        (
            HANDBOOK,
            "city为北京，且近90天到访的天数至少3，且近90天购买任意商品的天数至少1，且近7天未购买品牌“X”",
            HANDBOOK_EN,
        ),
        ({"all": []}, "全部会员", "everybody"),
        ({"any": []}, "无人", "nobody"),
        ({"not": {"any": [{"tag": "a"}, {"tag": "b"}]}}, "不满足（（a，或b））", "not ((a or b))"),
        (
            {"tag": "n", "min": 1, "max": 2.5, "unknown": True},
            "n不低于1且低于2.5或未知",
            "n from 1 to below 2.5 or unknown",
        ),
        ({"tag": "n", "max": 2}, "n低于2", "n below 2"),
        ({"segment": "s", "is": ["a", "b"], "unknown": True}, "s为a、b、未知", "s is a or b or none"),
        (
            {"event": "view", "of": {"category": ["奶粉"]}, "days": 30, "min": 2, "max": 5},
            "近30天浏览品类“奶粉”次数为2至5",
            "2 to 5 views of 奶粉 in the last 30 days",
        ),
        ({"event": "cart", "days": 3, "max": 0}, "近3天未加购", "no additions to the cart in the last 3 days"),
        ({"event": "visit", "days": 3, "max": 2}, "近3天到访的天数至多2", "visited on at most 2 of the last 3 days"),
        (
            {"bought": {"subcategory": ["a"], "product": ["p"]}, "days": 9, "min": 2, "max": 2},
            "近9天购买细类“a”且商品“p”的天数为2",
            "bought a and p on exactly 2 of the last 9 days",
        ),
        (
            {"score": "repurchase", "category": ["奶粉"], "within": 7, "min": 0.5},
            "7天内回购品类“奶粉”的概率不低于0.5",
            "probability of buying 奶粉 again within 7 days at least 0.5",
        ),
        (
            {"score": "new_product", "product_id": "p", "top_share": 0.05},
            "购买新品商品“p”的概率最高的5%会员",
            "top 5% by probability of trying p",
        ),
        ({"score": "churn"}, "有流失概率", "with a probability of leaving"),
        (
            {"contacted": {"channel": ["短信"], "format": ["图文"]}, "days": 14, "max": 0},
            "近14天未通过短信以图文形式触达",
            "not contacted by 短信 with 图文 in the last 14 days",
        ),
        (
            {"contacted": {"campaign": ["春"]}, "days": 14},
            "近14天在活动春中触达次数至少1",
            "contacted in campaign 春 at least 1 times in the last 14 days",
        ),
        (
            {"tag": "city", "is": [f"城{n}" for n in range(8)]},
            "city为城0、城1、城2、城3、城4等8个",
            "city is 城0 or 城1 or 城2 or 城3 or 城4 or 3 more",
        ),
    ],
)
def test_a_rule_is_said_in_both_languages(data: dict[str, Any], zh: str, en: str) -> None:
    assert tuple(describe(parse_rule(data))) == (zh, en)


def test_names_are_those_that_people_use_where_the_publication_has_them(publication: Publication) -> None:
    rule = parse_rule(
        {
            "all": [
                {"tag": "tenure_days", "min": 30},
                {"segment": "lifecycle", "is": ["loyal"]},
                {"bought": {"product": ["p001", "unheard of"]}, "days": 3},
            ]
        }
    )
    zh, en = describe(rule, publication)
    tenure = publication.tag("tenure_days").spec
    assert zh.startswith(f"{tenure.zh}不低于30天，且生命周期为忠诚，且")
    assert "product 1、unheard of" in zh
    assert en.startswith(f"{tenure.en} at least 30 days and lifecycle is loyal and ")
