import re
from dataclasses import dataclass
from enum import StrEnum

_WORD = re.compile(r"[^\W\d]\w*")


class View(StrEnum):
    """What one row of a feature table describes; the value is also the name of the table and of the Feast view."""

    MEMBER = "member"
    CATEGORY = "category"
    SUBCATEGORY = "subcategory"
    PRODUCT = "product"
    MEMBER_CATEGORY = "member_category"
    MEMBER_SUBCATEGORY = "member_subcategory"
    MEMBER_PRODUCT = "member_product"

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that name a row."""
        return VIEW_KEYS[self]


VIEW_KEYS: dict[View, tuple[str, ...]] = {
    View.MEMBER: ("member_id",),
    View.CATEGORY: ("category",),
    View.SUBCATEGORY: ("subcategory",),
    View.PRODUCT: ("product_id",),
    View.MEMBER_CATEGORY: ("member_id", "category"),
    View.MEMBER_SUBCATEGORY: ("member_id", "subcategory"),
    View.MEMBER_PRODUCT: ("member_id", "product_id"),
}


@dataclass(frozen=True)
class FeatureSpec:
    """One feature: what it is, and the one expression that computes it.

    name: unique over the whole catalogue.
    view: the table it stands in.
    kind: "number" (float64) or "category" (text).
    unit: days, money, share, count, ratio, ... or "-".
    null_meaning: what an unknown value says; "never null" where it cannot be.
    formula: one line for people.
    source: the relation of `features/<view>.py` that `sql` reads.
    sql: a portable SQL expression over that relation; `{as_of}` is the day number of as_of.
    """

    name: str
    view: View
    kind: str
    unit: str
    null_meaning: str
    formula: str
    source: str
    sql: str


@dataclass(frozen=True)
class Task:
    """One prediction: which rows, which features, over which horizon, judged by what.

    name: also the name of its Feast service, registered model and score table.
    horizon: days after as_of that the label looks at.
    keys: columns that name a row.
    views: feature tables joined to its rows, each on its own keys; the first one defines the rows.
    where: SQL condition over the first view's features that picks the rows; "true" takes them all.
    scores: columns its model adds, `score` first.
    metric: the metric that decides, named as in `evaluation/metrics.py`; larger is better.
    censored_from: days of label that are enough for a cutoff to teach or to be tested on, when what comes later may
        stay unknown; None = the whole horizon must be known.
    """

    name: str
    horizon: int
    keys: tuple[str, ...]
    views: tuple[View, ...]
    where: str
    scores: tuple[str, ...]
    metric: str
    censored_from: int | None = None

    @property
    def columns(self) -> frozenset[str]:
        """Names that picking and joining its rows reads: the keys of its views, and every word of `where`."""
        return frozenset(_WORD.findall(self.where)).union(*(view.keys for view in self.views))

    @property
    def needs(self) -> int:
        """Days after a cutoff that must be known before it can teach or be tested on."""
        return self.horizon if self.censored_from is None else min(self.horizon, self.censored_from)
