"""What the tables do not tell, written beside them so that tests can ask whether it was found."""

import numpy as np
import pyarrow as pa

from recsys.data.simulator.arrays import Floats
from recsys.data.simulator.campaigns import bounded
from recsys.data.simulator.cell import Cell
from recsys.data.simulator.columns import Column, chosen, dates, table_of, times
from recsys.data.simulator.tables import Tables, member_names, product_names, sent_times
from recsys.data.simulator.world import World


def world_truth(world: World) -> Tables:
    """Return categories (in the order of tastes), products (their pull) and stock_outs."""
    goods, kinds = world.catalogue, world.profile.categories
    product, which = np.nonzero(goods.gone < world.days)
    names = product_names(world)
    return {
        "categories": table_of(
            {
                "category": [kind.name for kind in kinds],
                "cycle_days": [kind.cycle for kind in kinds],
                "from_month": pa.array([kind.stage[0] if kind.stage else None for kind in kinds], pa.float64()),
                "to_month": pa.array([kind.stage[1] if kind.stage else None for kind in kinds], pa.float64()),
            }
        ),
        "products": table_of(
            {"product_id": names, "liking": goods.liking, "brand_kind": goods.family, "price_level": goods.level}
        ),
        "stock_outs": table_of(
            {
                "product_id": chosen(product.astype(np.int64), names),
                "from_day": dates(world.calendar, goods.gone[product, which]),
                "until_day": dates(world.calendar, goods.back[product, which]),
            }
        ),
    }


def cell_truth(world: World, cell: Cell) -> Tables:
    """Return members (rates, hazard, death day, tastes), cycles (by member and category) and effects (by contact)."""
    return {
        "members": _members(world, cell),
        "cycles": _cycles(world, cell),
        "effects": _effects(world, cell),
    }


def _members(world: World, cell: Cell) -> pa.Table:
    """Say what members are like: visits on a mean day, pace_at_end their factor in the last month; death_day null =
    alive at the end of the span.
    """
    people = cell.members
    gone = people.leaves < world.days
    return table_of(
        {
            "member_id": member_names(people),
            "visits_a_day": people.visits,
            "pace_at_end": cell.visits.pace,
            "visit_shape": people.regularity,
            "trip_share": people.trips,
            "death_hazard": people.hazard,
            "death_day": dates(world.calendar, np.where(gone, people.leaves, np.nan)),
            "alive_at_end": ~gone,
            "exploration": people.exploration,
            "bargain": people.bargain,
            "adoption": people.pioneer,
            "campaign_response": people.moved,
            "price_level": people.level,
            "child_birth_date": dates(world.calendar, people.child),
            "taste": _lists(people.taste),
            "brand_taste": _lists(people.kinds),
        }
    )


def _cycles(world: World, cell: Cell) -> pa.Table:
    """Say what members need: the mean days of a cycle; need_from and need_end where a child's age sets them."""
    habits = cell.habits
    staged = habits.staged
    return table_of(
        {
            "member_id": chosen(habits.member, member_names(cell.members)),
            "category": chosen(habits.category, [kind.name for kind in world.profile.categories]),
            "cycle_days": habits.cycle,
            "need_from": dates(world.calendar, np.where(staged, habits.begin, np.nan)),
            "need_end": dates(world.calendar, np.where(staged, bounded(habits.end), np.nan)),
        }
    )


def _effects(world: World, cell: Cell) -> pa.Table:
    """Say what being contacted brings in expectation, within a week: also of those who were held out."""
    contacts = cell.contacts
    return table_of(
        {
            "campaign_id": chosen(contacts.campaign, [campaign.name for campaign in world.campaigns]),
            "member_id": chosen(contacts.member, member_names(cell.members)),
            "sent_at": times(world.calendar, sent_times(world, contacts)),
            "treated": contacts.treated,
            "extra_orders": contacts.effect,
            "extra_order_at": times(world.calendar, contacts.extra),
        }
    )


def _lists(values: Floats) -> Column:
    """Return each row of a (n, c) array as a list."""
    flat = pa.array(values.astype(np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
