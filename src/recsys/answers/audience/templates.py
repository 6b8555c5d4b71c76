"""The scenarios that operations work with: questions in plain words, sound defaults, and the rule they amount to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys.answers.audience.benefits import SEGMENTATION, BenefitRule, benefit_rules
from recsys.answers.audience.questions import Choice, Given, Kind, Question, answered
from recsys.answers.audience.rule import AllOf, Bought, Contacted, Goods, Rule, Score, Segmented
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.spec import Answer
from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import FACT_DAYS


@dataclass(frozen=True)
class Laid:
    """What a template and its answers amount to.

    by: the score that orders. about: categories that it is about, in which products are chosen; empty = all.
    due_in: categories whose next purchase is the day to be there for; empty = all.
    """

    rule: Rule
    by: Score
    about: tuple[str, ...] = ()
    due_in: tuple[str, ...] = ()
    product_id: str | None = None


@dataclass(frozen=True)
class Template:
    """One scenario.

    lay: answers to all questions -> rule.
    """

    scenario: Scenario
    zh: str
    en: str
    about_zh: str
    about_en: str
    questions: tuple[Question, ...]
    lay: Callable[[Given], Laid]

    def laid(self, publication: Publication, answers: Mapping[str, Answer]) -> Laid:
        """Return what answers amount to; errors name `answers.<question>`."""
        return self.lay(answered(publication, self.questions, answers))


@dataclass(frozen=True, slots=True)
class TemplateCard:
    """A scenario as it is shown to those who choose one."""

    __pydantic_config__ = DESCRIBED
    template: Scenario
    """What is sent to choose it."""
    zh: str
    """Chinese name."""
    en: str
    """English name."""
    about_zh: str
    """What it is for, in Chinese."""
    about_en: str
    """What it is for, in English."""
    questions: tuple[Question, ...]
    """What it asks; every question but those without a default may be left unanswered."""
    benefits: tuple[BenefitRule, ...]
    """What members are offered: the first rule that holds."""


def cards() -> tuple[TemplateCard, ...]:
    """Return all scenarios as they are shown."""
    return tuple(
        TemplateCard(
            one.scenario, one.zh, one.en, one.about_zh, one.about_en, one.questions, benefit_rules(one.scenario)
        )
        for one in TEMPLATES.values()
    )


_REST = Question(
    "rest_days",
    Kind.DAYS,
    "近多少天内触达过的会员不再打扰？（0=不限）",
    "Leave alone whoever was contacted within how many days? (0 = nobody)",
    14,
    0,
    FACT_DAYS,
)


def _rested(answers: Given) -> tuple[Rule, ...]:
    days = answers.days("rest_days")
    return (Contacted((), (), (), days, 0, 0),) if days else ()


def _repurchase(answers: Given) -> Laid:
    categories, within = answers.names("categories"), answers.days("within")
    by = Score("repurchase", categories, within=within)
    due = Score("repurchase", categories, within=within, low=answers.share("chance"))
    return Laid(AllOf((due, *_rested(answers))), by, about=categories, due_in=categories)


def _new_product(answers: Given) -> Laid:
    product = answers.text("product_id")
    best = Score("new_product", product_id=product, top_share=answers.share("share"))
    untried = Bought(Goods(products=(product,)), FACT_DAYS, 0, 0)
    by = Score("new_product", product_id=product)
    return Laid(AllOf((best, untried, *_rested(answers))), by, product_id=product)


def _win_back(answers: Given) -> Laid:
    silent = Bought(Goods(), answers.days("silent_days"), 0, 0)
    once = Bought(Goods(), answers.days("within_days"))
    return Laid(AllOf((once, silent, *_rested(answers))), Score("repurchase", within=28))


def _promotion(answers: Given) -> Laid:
    categories = answers.names("categories")
    bands = ("enthusiast",) if answers.text("who") == "enthusiast" else ("enthusiast", "sensitive")
    bought = Bought(Goods(categories=categories), answers.days("bought_days"))
    by = Score("repurchase", categories, within=14)
    rules = (Segmented(SEGMENTATION, bands), bought, *_rested(answers))
    return Laid(AllOf(rules), by, about=categories, due_in=categories)


def _cross_sell(answers: Given) -> Laid:
    bought, other = answers.names("bought"), answers.names("other")
    knows = Bought(Goods(categories=bought), answers.days("bought_days"), 2)
    lacks = Bought(Goods(categories=other), FACT_DAYS, 0, 0)
    by = Score("discovery", other)
    return Laid(AllOf((knows, lacks, *_rested(answers))), by, about=other, due_in=bought)


_ALL = (
    Template(
        Scenario.REPURCHASE,
        "复购提醒",
        "Repurchase reminder",
        "找出快用完、近期很可能回购的会员，在预计购买日前提醒。",
        "Members who are about to buy again: remind them before the day they are expected to.",
        (
            Question(
                "categories",
                Kind.CATEGORIES,
                "提醒哪些品类的回购？（不选=全部）",
                "Which categories shall they buy again? (none = any)",
                (),
            ),
            Question(
                "within",
                Kind.CHOICE,
                "预计多少天内回购？",
                "Due within how many days?",
                7,
                choices=(
                    Choice(7, "7天", "7 days"),
                    Choice(14, "14天", "14 days"),
                    Choice(28, "28天", "28 days"),
                ),
            ),
            Question("chance", Kind.SHARE, "购买概率至少多少？", "How likely at least?", 0.5, 0, 1),
            _REST,
        ),
        _repurchase,
    ),
    Template(
        Scenario.NEW_PRODUCT,
        "新品试用邀请",
        "New-product trial invitation",
        "为新品找出最可能尝试、且还没买过的会员。",
        "The members most likely to try a launch, who have not bought it yet.",
        (
            Question("product_id", Kind.PRODUCT, "哪款新品？", "Which new product?", None),
            Question(
                "share",
                Kind.SHARE,
                "邀请最可能购买的多大比例会员？",
                "Which share of members, the likeliest first?",
                0.05,
                0.0001,
                1,
            ),
            _REST,
        ),
        _new_product,
    ),
    Template(
        Scenario.WIN_BACK,
        "流失召回",
        "Win-back",
        "找出曾经购买、已沉默一段时间的会员，最接近转化的排在最前。",
        "Members who bought once and have been silent since, those closest to buying again first.",
        (
            Question(
                "silent_days",
                Kind.DAYS,
                "多少天没有购买算沉默？",
                "How many days without a purchase are silence?",
                60,
                1,
                FACT_DAYS,
            ),
            Question(
                "within_days",
                Kind.DAYS,
                "但在多少天内买过？",
                "But bought within how many days?",
                365,
                1,
                FACT_DAYS,
            ),
            _REST,
        ),
        _win_back,
    ),
    Template(
        Scenario.PROMOTION,
        "价格敏感促销",
        "Price-sensitive promotion",
        "找出对优惠反应明显的会员，把促销预算花在他们身上。",
        "Members whom discounts move: spend the promotion's money on them.",
        (
            Question(
                "categories",
                Kind.CATEGORIES,
                "促销哪些品类？（不选=全部）",
                "Which categories are on promotion? (none = all)",
                (),
            ),
            Question(
                "who",
                Kind.CHOICE,
                "哪些会员？",
                "Which members?",
                "enthusiast_and_sensitive",
                choices=(
                    Choice("enthusiast_and_sensitive", "促销热衷和促销敏感", "enthusiasts and the sensitive"),
                    Choice("enthusiast", "仅促销热衷", "enthusiasts only"),
                ),
            ),
            Question(
                "bought_days",
                Kind.DAYS,
                "多少天内买过这些品类？",
                "Bought there within how many days?",
                180,
                1,
                FACT_DAYS,
            ),
            _REST,
        ),
        _promotion,
    ),
    Template(
        Scenario.CROSS_SELL,
        "交叉销售",
        "Cross-sell",
        "找出常买一类、还没买过另一类的会员，推荐他们最可能尝试的商品。",
        "Members who buy in one category and never in another: show them what they are likeliest to try there.",
        (
            Question("bought", Kind.CATEGORIES, "已经常买哪些品类？", "Which categories do they buy?", None),
            Question("other", Kind.CATEGORIES, "想推荐哪些品类？", "Which categories shall they discover?", None),
            Question(
                "bought_days",
                Kind.DAYS,
                "近多少天内至少买过两次？",
                "On at least two days within how many?",
                180,
                1,
                FACT_DAYS,
            ),
            _REST,
        ),
        _cross_sell,
    ),
)

TEMPLATES: Mapping[Scenario, Template] = {template.scenario: template for template in _ALL}
