"""What a model is for and where it ends, in words: its model card. Mitchell et al., Model Cards for Model Reporting,
FAT* 2019.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.core.task import Task
from recsys.core.time import AsOf


@dataclass(frozen=True)
class Words:
    """What is known of a task before anything is measured.

    predicts: may hold {horizon}. population: whose rows there are. use: what it is meant for. limits: what to know.
    """

    predicts: str
    population: str
    use: str
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """A model card.

    rows: the condition, over the features, that picks the rows. taught: ISO days of the cutoffs that taught the model
    that is put to use; empty where the model was only back-tested.
    """

    predicts: str
    population: str
    rows: str
    use: str
    limits: tuple[str, ...]
    taught: tuple[str, ...]


WORDS: Mapping[str, Words] = {
    "repurchase": Words(
        "The chance that a member buys in a category again within 7, 14 and 28 days, the median day of that purchase "
        "and an interval meant to hold it in 80% of cases; looking {horizon} days ahead.",
        "Pairs of a member and a category that the member has bought, among categories that repeat.",
        "Reminders and audiences of a category; the next purchase days on the member card.",
        ("It knows rhythms, not plans: what ends a need shows only where the features tell it.",),
    ),
    "churn": Words(
        "The chance that a member buys nothing within {horizon} days.",
        "Members who bought lately.",
        "Audiences to win back; the risk on the member card.",
        ("A member who stays away for the horizon counts as leaving, whether or not the member comes back later.",),
    ),
    "new_product": Words(
        "The chance that a member buys a newly launched product within {horizon} days.",
        "Active members paired with the products launched around the day.",
        "Audiences of a launch.",
        ("A product without sales is judged by its attributes alone; an unusual one by little.",),
    ),
    "recommend": Words(
        "The chance that a product lies in the member's next basket, within {horizon} days.",
        "Members paired with candidate products: what they bought, what goes with it, and what is popular.",
        "Ranking of products for a member.",
        ("What is never a candidate cannot be recommended; most hits repeat earlier purchases.",),
    ),
    "recommend_subcategory": Words(
        "The chance that a subcategory lies in the member's next basket, within {horizon} days.",
        "Members paired with candidate subcategories.",
        "Ranking of shelves for a member.",
        ("Most hits repeat earlier purchases.",),
    ),
    "value": Words(
        "The money that a member will pay within {horizon} days, the days on which the member will buy, and what will "
        "be left of the money by the shop's margin shares.",
        "Members who bought within a year.",
        "Audiences by worth; the value on the member card.",
        (
            "Expected values, not promises: single members scatter widely around them.",
            "Goods brought back are not taken off.",
            "The margin is a proxy made of shares in the settings, as the tables hold no costs.",
        ),
    ),
}
"""Task name -> words."""


def card_of(task: Task, findings: Sequence[str], taught: Sequence[AsOf]) -> Card:
    """Write the card of a task's model; findings: limits that the measurement showed."""
    words = WORDS.get(task.name, Words(f"The scores of {task.name}.", "All rows of the task.", "Any.", ()))
    return Card(
        predicts=words.predicts.format(horizon=task.horizon),
        population=words.population,
        rows=task.where,
        use=words.use,
        limits=(*words.limits, *findings),
        taught=tuple(str(day) for day in taught),
    )
