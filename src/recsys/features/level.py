"""The two levels at which items are recommended: the SQL and the code of both are written once, over a level."""

from dataclasses import dataclass

from recsys.core.task import View


@dataclass(frozen=True)
class Level:
    """What an item is.

    name: "product" or "subcategory"; relations and features of the level carry it in their names.
    key: column of the item's id.
    items, pairs: views of the items, and of members with items.
    kin: what an item is one of.
    affinity: what names of features begin with that tell how a member stands to the item's kin.
    """

    name: str
    key: str
    items: View
    pairs: View
    kin: tuple[str, ...]
    affinity: str

    @property
    def code(self) -> str:
        """Column of the item's code."""
        return f"{self.name}_code"

    @property
    def own(self) -> str:
        """What names of features of a member and an item begin with."""
        return f"own_{self.name}"


PRODUCT = Level("product", "product_id", View.PRODUCT, View.MEMBER_PRODUCT, ("category", "subcategory"), "affinity")
SUBCATEGORY = Level(
    "subcategory", "subcategory", View.SUBCATEGORY, View.MEMBER_SUBCATEGORY, ("category",), "subcategory_affinity"
)
LEVELS = (PRODUCT, SUBCATEGORY)
