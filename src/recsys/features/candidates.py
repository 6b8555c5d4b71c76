"""Which items each active member is offered: own ones, what neighbours name, kin, popular ones and launches.

Every pair carries the scores of all sources, whichever named it.
"""

import numpy as np
import pandas as pd
from pydantic import Field

from recsys.core.config import Settings
from recsys.features.collaborative import CollaborativeConfig
from recsys.features.expression import AS_OF, Relation
from recsys.features.facts import ACTIVE_DAYS
from recsys.features.level import LEVELS, PRODUCT, Level
from recsys.features.next_basket import TifuConfig, UpcfConfig
from recsys.features.ranking import Counts, hashes
from recsys.features.scoring import Learnt, Named, score_members
from recsys.features.sources import Source
from recsys.features.stage import Stage
from recsys.features.visits import numbers

CATEGORIES = 10
SHELF = 30


class LevelConfig(Settings):
    """How many items each source may name for a member at one level.

    history: own items with the highest history_score. frequency: own items bought on most days, of equal ones those
        bought last; and again so many, of equal ones those that everybody buys most.
    each: items that each of TIFU-KNN, UP-CF@r, item neighbours, BM25, ALS and popularity (bought most in 28 days) ranks
        highest of all. So a list of any of them as long stands whole among the candidates.
    near, als, popular: items that each of TIFU-KNN, UP-CF@r, item neighbours and BM25, that ALS, and that popularity
        ranks highest of those that the member never bought.
    kin: never bought, those sold most in the categories that the member buys most.
    """

    history: int = Field(default=85, ge=0)
    frequency: int = Field(default=20, ge=0)
    each: int = Field(default=20, ge=0)
    near: int = Field(default=10, ge=0)
    als: int = Field(default=20, ge=0)
    popular: int = Field(default=15, ge=0)
    kin: int = Field(default=10, ge=0)
    tifu: TifuConfig = TifuConfig()
    upcf: UpcfConfig = UpcfConfig()
    collaborative: CollaborativeConfig = CollaborativeConfig()

    @property
    def quotas(self) -> dict[Source, Counts]:
        """How many each source may name that gives scores."""
        near = dict.fromkeys((Source.TIFU, Source.UPCF, Source.NEIGHBOUR, Source.BM25), Counts(self.each, self.near))
        return near | {Source.ALS: Counts(self.each, self.als), Source.POPULAR: Counts(self.each, self.popular)}


class CandidateConfig(Settings):
    """How members are offered products and subcategories.

    pool: members among whom neighbours are sought, drawn by a hash of their ids when there are more.
    kept: members whose pairs a stored snapshot keeps, drawn when there are more; null = all. What is told of members,
        of categories and of items is of everybody all the same, and so are candidates that are computed in parts.
    """

    product: LevelConfig = LevelConfig(upcf=UpcfConfig(visits=50, asymmetry=0.75, locality=5))
    subcategory: LevelConfig = LevelConfig(history=100)
    pool: int = Field(default=20_000, ge=1)
    kept: int | None = Field(default=None, ge=1)

    def of(self, level: Level) -> LevelConfig:
        """Return the settings of a level."""
        return {"product": self.product, "subcategory": self.subcategory}[level.name]


ACTIVE_MEMBER = Relation(
    "active_member",
    f"""
    SELECT member_spine.member_code
    FROM member_spine JOIN member_day ON member_day.member_code = member_spine.member_code
    GROUP BY member_spine.member_code HAVING max(day) >= {AS_OF} - {ACTIVE_DAYS}
    """,
)


def _history_relation(level: Level) -> Relation:
    """Draft the lives of members who agree to personal answers."""
    name, code = level.name, level.code
    return Relation(
        f"member_{name}_history",
        f"""
        SELECT life.member_code, {code}, last_day, days, score, days_365d
        FROM member_{name}_life AS life
        JOIN member_spine ON member_spine.member_code = life.member_code
        """,
        stored=False,
    )


HISTORIES = tuple(_history_relation(level) for level in LEVELS)


def offer(stage: Stage, level: Level) -> pd.DataFrame:
    """Tell `<level>_offer`: what may be offered, each item with a number from its id alone that breaks ties."""
    found = stage.execute(f"SELECT {level.code}, {level.key} FROM {level.name}_base WHERE is_delisted = 0").df()
    tie = (hashes(found[level.key].to_numpy()) >> np.uint64(1)).astype(np.int64)
    return pd.DataFrame({level.code: found[level.code], "tie": tie})


def lay_candidates(stage: Stage, learnt: Learnt, config: CandidateConfig) -> None:
    """Create the relation `candidate_<level>` of the stage's members, one row a pair.

    Columns: member_code, the item's code, source, is_candidate and is_launch (0 or 1), history_score and the scores of
    the sources: 0 = none, but als_score null = outside the factorisation.
    """
    level, chosen = learnt.level, config.of(learnt.level)
    stage.execute(f"CREATE TEMP TABLE named AS {_named_sql(level, chosen)}")
    stage.execute(_EMPTY)
    (active,) = numbers(stage, "SELECT member_code FROM active_member ORDER BY member_code")
    for members in learnt.reads(active):
        inside = f"member_code BETWEEN {members[0]} AND {members[-1]}"
        named = Named(*numbers(stage, f"SELECT * FROM named WHERE {inside} ORDER BY ALL"))
        scored = score_members(stage, learnt, members, named, chosen.quotas)
        stage.connection.register("block", scored)
        stage.connection.execute("INSERT INTO scored SELECT * FROM block")
        stage.connection.unregister("block")
    stage.execute(f"CREATE TEMP TABLE candidate_{level.name} AS {_candidate_sql(level)}")
    stage.execute("DROP TABLE named")
    stage.execute("DROP TABLE scored")


_EMPTY = """
    CREATE TEMP TABLE scored (
        member_code BIGINT, item BIGINT, source BIGINT, tifu_score DOUBLE, tifu_near DOUBLE, tifu_share DOUBLE,
        upcf_score DOUBLE, neighbour_score DOUBLE, bm25_score DOUBLE, als_score DOUBLE
    )
"""


def _named_sql(level: Level, config: LevelConfig) -> str:
    """Return SQL of the pairs of own history, of the member's categories, and of launches."""
    name, code = level.name, level.code
    launches = f"""
        UNION ALL
        SELECT member_code, base.{code}, {Source.LAUNCH}
        FROM active_member CROSS JOIN product_base AS base
        WHERE is_launch = 1 AND is_delisted = 0 AND NOT EXISTS (
            SELECT 1 FROM member_product_history AS history
            WHERE history.member_code = active_member.member_code AND history.product_code = base.product_code
        )
    """
    return f"""
        WITH own AS (
            SELECT history.member_code, history.{code},
                   row_number() OVER (one ORDER BY score DESC, last_day DESC, tie) AS place,
                   row_number() OVER (one ORDER BY days DESC, last_day DESC, tie) AS often,
                   row_number() OVER (one ORDER BY days DESC, times_28d DESC, tie) AS liked
            FROM member_{name}_history AS history
            JOIN {name}_popularity AS popularity ON popularity.{code} = history.{code}
            JOIN active_member ON active_member.member_code = history.member_code
            JOIN {name}_offer AS offer ON offer.{code} = history.{code}
            WINDOW one AS (PARTITION BY history.member_code)
        ),
        taste AS (
            SELECT life.member_code, category_code, days,
                   row_number() OVER (
                       PARTITION BY life.member_code ORDER BY days DESC, last_day DESC, money DESC, category_code
                   ) AS place
            FROM member_category_life AS life
            JOIN active_member ON active_member.member_code = life.member_code
        ),
        shelf AS (
            SELECT popularity.{code}, category_code, buyers_90d, tie,
                   row_number() OVER (PARTITION BY category_code ORDER BY buyers_90d DESC, tie) AS place
            FROM {name}_popularity AS popularity JOIN {name}_offer AS offer ON offer.{code} = popularity.{code}
            WHERE buyers_90d > 0
        ),
        kin AS (
            SELECT taste.member_code, shelf.{code},
                   row_number() OVER (
                       PARTITION BY taste.member_code ORDER BY taste.days * buyers_90d DESC, buyers_90d DESC, tie
                   ) AS place
            FROM taste
            JOIN shelf ON shelf.category_code = taste.category_code
            LEFT JOIN member_{name}_history AS history
                ON history.member_code = taste.member_code AND history.{code} = shelf.{code}
            WHERE taste.place <= {CATEGORIES} AND shelf.place <= {SHELF} AND history.score IS NULL
        )
        SELECT member_code, {code} AS item, {Source.HISTORY} AS source FROM own
        WHERE place <= {config.history} OR often <= {config.frequency} OR liked <= {config.frequency}
        UNION ALL
        SELECT member_code, {code}, {Source.KIN} FROM kin WHERE place <= {config.kin}
        {launches if level == PRODUCT else ""}
        ORDER BY member_code
    """


def _candidate_sql(level: Level) -> str:
    name, code = level.name, level.code
    labels = " ".join(f"WHEN {source} THEN '{source.label}'" for source in Source)
    launch = "base.is_launch" if level == PRODUCT else "0"
    return f"""
        SELECT CAST(scored.member_code AS INTEGER) AS member_code, base.{code},
               CASE WHEN source = {Source.LAUNCH} THEN 0 ELSE 1 END AS is_candidate,
               CASE WHEN {launch} = 1 AND history.score IS NULL THEN 1 ELSE 0 END AS is_launch,
               CASE source {labels} END AS source,
               coalesce(history.score, 0) AS history_score,
               tifu_score, tifu_near, tifu_share, upcf_score, neighbour_score, bm25_score,
               CASE WHEN isnan(als_score) THEN NULL ELSE als_score END AS als_score
        FROM scored
        JOIN {name}_base AS base ON base.{code} = scored.item
        LEFT JOIN member_{name}_history AS history
            ON history.member_code = scored.member_code AND history.{code} = scored.item
    """
