from typing import Annotated

from pydantic import Field

from recsys.core.config import Settings

Share = Annotated[float, Field(gt=0, le=1)]


class Margins(Settings):
    """What is left of sales: a proxy, as the tables know no costs.

    A line's goods are taken to cost (1 - share) of their list price, which is the money paid and the discount together;
    the line's margin is the money paid less that. So a discount comes out of the margin alone, and a deep one makes it
    negative.

    share: of the list price, for categories that are not named.
    categories: the same by the name of a category.
    """

    share: Share = 0.3
    categories: dict[str, Share] = Field(default_factory=dict)


USUAL = Margins()
