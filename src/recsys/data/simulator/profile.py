from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One kind of thing a simulated shop sells.

    cycle: mean days that a usual purchase lasts; 0 = bought on a whim only.
    weight: how often it is liked, against the others.
    products: how many there are, against the others.
    price: median price of one piece.
    season, peak: how much more than the mean it is wanted in its month (0..1), and that month (1-12).
    stage: months of a child's life in which it is needed, from and to; None = no matter of age.
    uptake: share of children who need it in its stage.
    follows: the category whose stage comes before; who used that goes on with this, mostly of the same brand.
    """

    name: str
    cycle: float
    weight: float
    products: float
    price: float
    subcategories: tuple[str, ...]
    packages: tuple[str, ...]
    season: float = 0.0
    peak: int = 1
    stage: tuple[float, float] | None = None
    uptake: float = 1.0
    follows: str | None = None


@dataclass(frozen=True)
class Profile:
    """What a kind of shop is like; shares lie in 0..1 and rates are means over members.

    products, brands: sold over the span. zipf: exponent of popularity by rank within a category.
    launched, shelf: launches a year for each product, and the mean days a launch stays (0 = for good).
    delisted: delistings a year for each older product. novelty: how often what came within 60 days is picked,
        against the rest. trial: mean share of members who try a launch.
    stock_outs: a product's stock-outs in a year. promoted: share of a product's weeks at a lower price.
    joined: share of members who join within the span.
    visits, visit_shape: visits a day, and how alike members are in it (gamma shape: low = unlike).
    regularity: gamma shape of the gaps between visits; 1 = at random.
    drift: standard deviation of the logarithm of a member's pace around its own mean, as months go by.
    trips: share of visits that mean to buy. least: lines such a visit has at least.
    impulses, impulse_shape: lines not needed on a trip, and how alike trips are in them.
    needs: number of categories a member has a cycle in, about. need_shape: regularity of cycles.
    exploration: share of purchases that look beyond what is known. adopted: share of finds that are kept.
    hazard, hazard_shape: a member's chance to leave for good on a day, and how alike members are in it.
    children: share of members with a young child.
    returns: share of lines brought back. online: share of visits over the net. views: products looked at in a visit.
    campaign_every: days between campaigns. contacted, held_out: shares of members, and of those.
    effect: mean extra orders that being contacted brings.
    """

    name: str
    categories: tuple[Category, ...]
    products: int
    brands: int
    zipf: float
    launched: float
    shelf: float
    delisted: float
    novelty: float
    trial: float
    stock_outs: float
    promoted: float
    joined: float
    visits: float
    visit_shape: float
    regularity: float
    drift: float
    trips: float
    least: int
    impulses: float
    impulse_shape: float
    needs: float
    need_shape: float
    exploration: float
    adopted: float
    hazard: float
    hazard_shape: float
    children: float
    returns: float
    online: float
    views: float
    campaign_every: int
    contacted: float
    held_out: float
    effect: float
