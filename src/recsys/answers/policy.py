"""Placement policy as data: which sources fill a placement, under which limits, for whom and until when."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from recsys.answers.identity import NAME_LENGTH
from recsys.answers.shapes import Source
from recsys.artifacts.publication_content import BOUGHT_DAYS, Tag
from recsys.core.config import Settings, read_toml
from recsys.core.errors import RequestError

CONTROL = "control"
"""The variant that everybody gets who is in no other one."""

PLACEMENTS = "placements.toml"
"""The file in a home."""

MAX_PLACES = 200
MAX_DEPTH = 1000
QUESTIONS = "questions"
"""The one table of the file that is no placement."""

Model = Literal["champion", "challenger"]
Share = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Days = Annotated[int, Field(ge=0, le=BOUGHT_DAYS)]


class SourceRule(Settings):
    """One source of a placement.

    weight: its candidate of rank r (0 = the best) is worth weight / (60 + r), and a product is worth the sum over the
        sources that name it; equal weights alternate. 0 = it only fills what the weighted sources left empty.
    share: this part of the places (rounded down) is kept for the source, at the end of the answer. A source with a
        share has no weight unless one is given.
    """

    name: Source
    weight: float | None = Field(default=None, ge=0, le=1000)
    share: Share | None = None

    @property
    def worth(self) -> float:
        """The weight in force."""
        if self.weight is not None:
            return self.weight
        return 1.0 if self.share is None else 0.0


class Lists(Settings):
    """Names let in and kept out; never lifted. An empty `allow` lets everything in."""

    allow: tuple[Name, ...] = ()
    deny: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> "Lists":
        both = sorted(set(self.allow) & set(self.deny))
        if both:
            raise ValueError(f"allows and denies {', '.join(both)}")
        return self


class Audience(Settings):
    """Members by their published tags; whoever is not answered from a history has none.

    any: one of these at least. all: every one of these. Both empty: everybody.
    """

    any: tuple[Tag, ...] = ()
    all: tuple[Tag, ...] = ()


class Dated(Settings):
    """What holds for an audience on some days of the mall.

    first_day, last_day: both included; none = since ever, for ever.
    """

    first_day: date | None = None
    last_day: date | None = None
    audience: Audience = Audience()

    @model_validator(mode="after")
    def _in_order(self) -> "Dated":
        if self.first_day is not None and self.last_day is not None and self.last_day < self.first_day:
            raise ValueError("last_day lies before first_day")
        return self


class Pin(Dated):
    """A product at a place of its own, 1 = the first, unless a limit keeps the product out."""

    product: Name
    place: int = Field(ge=1, le=MAX_PLACES)


class Boost(Dated):
    """Multiplies what products are worth: those named, and those of the categories or brands named."""

    factor: float = Field(gt=0, le=100)
    products: tuple[Name, ...] = ()
    categories: tuple[Name, ...] = ()
    brands: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _of_something(self) -> "Boost":
        if not (self.products or self.categories or self.brands):
            raise ValueError("a boost needs products, categories or brands")
        return self


class Caps(Settings):
    """Limits by what the member was shown today, as the mall reports impressions.

    product_per_day: a product shown so often is left out, unless nothing else is left (and told).
    member_per_day: after so many impressions the placement pins, boosts and keeps shares no more for the day.
    """

    product_per_day: int | None = Field(default=None, ge=1)
    member_per_day: int | None = Field(default=None, ge=1)


class Live(Settings):
    """How the source `live` weighs what was done lately.

    The newest `touches` of each kind count; the n-th newest (0 = the newest) speaks with weight * decay ** n for the
    product itself (not for one in the cart) and, halved, in three, in four..., for its neighbours from the nearest on.
    """

    viewed: float = Field(default=0.6, ge=0, le=1)
    favourites: float = Field(default=0.8, ge=0, le=1)
    cart: float = Field(default=1.0, ge=0, le=1)
    touches: int = Field(default=3, ge=1, le=20)
    neighbours: int = Field(default=5, ge=1, le=50)
    decay: float = Field(default=0.8, gt=0, le=1)


class Policy(Settings):
    """How one place in the mall is filled.

    title: what people call it; title_zh: what they call it in Chinese, when that is another name.
    around: what the products of a request are: those on the page, in the cart, or in the order just made.
    model: whose lists `personal` and `discovery` are: of the model in use, or of the one that waits to be promoted,
        which is published when a placement asks for it; without one the model in use answers.
    sources: of these; their weights mix them. depth: so many of a source's candidates are mixed; the rest fills up.
    fallback: tried in this order when the sources leave places empty; told in the answer.
    categories, brands: let in and kept out.
    max_per_category: so many items of one category at most, lifted (and told) when places stay empty; none = no limit.
    mmr: lambda of maximal marginal relevance: each place goes to the product with the largest
        lambda * worth - (1 - lambda) * likeness, worth being 1 for the best and likeness to what was chosen before 1 in
        the same subcategory, 1/2 in the same category, else 0. None or 1 = by worth alone.
        Carbonell and Goldstein, SIGIR 1998.
    price_band: a product is left out when its price level lies outside the member's usual ones by more than this share
        of them, lifted (and told) when places stay empty; none = no limit.
    recent_days: a product that does not run out is left out for so many days after the member bought it, until nothing
        else is left (and told).
    due_share: a product that was bought since the publication comes back after this share of the member's usual gap, or
        after rest_days where no gap is known.
    """

    title: str = Field(max_length=200)
    title_zh: str = Field(default="", max_length=200)
    around: Literal["page", "cart", "order"] = "page"
    model: Model = "champion"
    sources: tuple[SourceRule, ...] = Field(min_length=1)
    depth: int = Field(default=200, ge=1, le=MAX_DEPTH)
    fallback: tuple[Source, ...] = (Source.POPULAR,)
    categories: Lists = Lists()
    brands: Lists = Lists()
    max_per_category: int | None = Field(default=None, ge=1)
    mmr: float | None = Field(default=None, gt=0, le=1)
    price_band: float | None = Field(default=None, ge=0, le=10)
    recent_days: Days = 90
    due_share: float = Field(default=0.8, ge=0, le=10)
    rest_days: Days = 14
    caps: Caps = Caps()
    live: Live = Live()
    pins: tuple[Pin, ...] = ()
    boosts: tuple[Boost, ...] = ()

    @model_validator(mode="after")
    def _can_be_filled(self) -> "Policy":
        named = [rule.name for rule in self.sources]
        if Source.POPULAR not in (*self.fallback, *named):
            raise ValueError("a placement needs `popular` among its sources or fallback, or it can come out empty")
        if Source.PINNED in (*self.fallback, *named):
            raise ValueError("`pinned` is no source; write `pins`")
        if len(set(named)) < len(named):
            raise ValueError("names a source twice")
        if sum(rule.share or 0 for rule in self.sources) > 1:
            raise ValueError("the shares of a placement's sources add up to more than 1")
        places = [pin.place for pin in self.pins]
        if len({(pin.product, pin.place) for pin in self.pins}) < len(places):
            raise ValueError("pins a product to a place twice")
        return self


class Variant(Settings):
    """A part of the visitors, by a hash of their id, who get other settings; told in the answer.

    change: settings of the placement that differ, each as a whole.
    """

    name: str = Field(pattern=rf"^[A-Za-z0-9_-]{{1,{NAME_LENGTH}}}$")
    share: Share
    change: dict[str, Any] = Field(default_factory=dict)


class Placement(Policy):
    """A place in the mall, with the experiments that run on it.

    variants: those in none of them get the variant `control`, which is the placement as it stands; so does everybody
        who is not personalised or has no id.
    experiment: another text deals members anew.
    """

    variants: tuple[Variant, ...] = ()
    experiment: str = Field(default="", max_length=100)

    @model_validator(mode="after")
    def _variants_stand(self) -> "Placement":
        names = [variant.name for variant in self.variants]
        if len({CONTROL, *names}) <= len(names):
            raise ValueError(f"variants need names of their own, other than `{CONTROL}`")
        if sum(variant.share for variant in self.variants) > 1 + 1e-9:
            raise ValueError("the shares of the variants add up to more than 1")
        _ = self.policies
        return self

    @property
    def tries(self) -> bool:
        """Whether some visitors see what the model says that waits to be promoted."""
        return any(policy.model == "challenger" for policy in self.policies.values())

    @property
    def policies(self) -> dict[str, Policy]:
        """The policy of each variant, `control` first; `ValueError` when a change leaves none that holds."""
        base = self.model_dump(exclude={"variants", "experiment"})
        changed = {variant.name: Policy(**{**base, **variant.change}) for variant in self.variants}
        return {CONTROL: Policy(**base), **changed}


class Question(Settings):
    """A question of a survey, and which categories its answers stand for.

    attribute: the member's attribute that holds the answers given once, separated by commas; none = only those of the
        request count.
    """

    answers: dict[Name, tuple[Name, ...]] = Field(min_length=1)
    attribute: str | None = None


PlacementName = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]


class Placements(Settings):
    """All placements, by the name that requests use, and the questions of surveys."""

    placements: dict[PlacementName, Placement] = Field(min_length=1)
    questions: dict[Name, Question] = Field(default_factory=dict)

    def of(self, name: str) -> Placement:
        """Return a placement; `RequestError` lists the names there are."""
        try:
            return self.placements[name]
        except KeyError:
            raise unknown_placement(self.placements) from None


def unknown_placement(known: Mapping[str, object]) -> RequestError:
    """Return the error that lists the placements there are."""
    return RequestError("placement", f"is none of {', '.join(sorted(known))}")


def read_placements(path: Path) -> Placements:
    """Read a `placements.toml`: one table a placement, and `questions`.

    `ConfigError` names the first setting that is wrong; nothing of a file with a wrong setting is taken.
    """
    data = read_toml(path)
    questions = data.pop(QUESTIONS, {})
    return Placements.checked({QUESTIONS: questions, "placements": data})
