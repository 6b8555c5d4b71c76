"""The names of products, categories and brands that placements speak of, held against a publication."""

from collections.abc import Callable, Iterator, Mapping

from recsys.answers.policy import CONTROL, Placements, Policy
from recsys.artifacts.publication import Publication

Named = tuple[str, str, str]
"""Where in the placements, of which kind, and the name."""


def unknown_names(publication: Publication, placements: Placements) -> tuple[str, ...]:
    """Tell what the placements name and the publication does not have, and where."""
    rows: Mapping[str, Callable[[str], int | None]] = {
        "product": publication.products.row,
        "category": publication.category_row,
        "brand": publication.brand_row,
    }
    named = dict.fromkeys(_named(placements))
    unknown = tuple(f"{at}: no {kind} {name!r}" for at, kind, name in named if rows[kind](name) is None)
    trying = () if publication.challenger is not None else _trying(placements)
    return (*unknown, *(f"{at}.model: no challenger was published" for at in trying))


def _trying(placements: Placements) -> Iterator[str]:
    """Yield what asks for the lists of a model that waits to be promoted."""
    for at, policy in _policies(placements):
        if policy.model == "challenger":
            yield at


def _policies(placements: Placements) -> Iterator[tuple[str, Policy]]:
    for placement, settings in placements.placements.items():
        for variant, policy in settings.policies.items():
            yield placement if variant == CONTROL else f"{placement}.variants.{variant}", policy


def _named(placements: Placements) -> Iterator[Named]:
    for at, policy in _policies(placements):
        yield from _of_policy(at, policy)
    for question, asked in placements.questions.items():
        for categories in asked.answers.values():
            yield from ((f"questions.{question}", "category", name) for name in categories)


def _of_policy(at: str, policy: Policy) -> Iterator[Named]:
    yield from ((f"{at}.pins", "product", pin.product) for pin in policy.pins)
    yield from ((f"{at}.categories", "category", name) for name in (*policy.categories.allow, *policy.categories.deny))
    yield from ((f"{at}.brands", "brand", name) for name in (*policy.brands.allow, *policy.brands.deny))
    for boost in policy.boosts:
        kinds = {"product": boost.products, "category": boost.categories, "brand": boost.brands}
        yield from ((f"{at}.boosts", kind, name) for kind, names in kinds.items() for name in names)
