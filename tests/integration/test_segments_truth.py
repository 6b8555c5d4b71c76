"""Tags and segments of simulated shops against what is true of their members, and of shops that bring little."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from recsys.artifacts.tagging.settings import Segments
from recsys.artifacts.tagging.write import Tagged
from recsys.core.config import Home
from recsys.core.task import View
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.simulator.write import Simulation, simulate
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot
from recsys.features.described import CANDIDATES
from tests.shop import make_frames, store
from training.segments import tagged
from training.tags import standings

SHIPPED = Segments.of_home(Path("a folder without settings"))


def cut(tables: Tables, root: Path) -> tuple[pd.DataFrame, Tagged]:
    """Return the features of a shop's members at its end, and their tags and segments."""
    snapshot = tables.at(tables.end)
    members = build_snapshot(snapshot, root, candidates=CANDIDATES).read(View.MEMBER)
    members = members.drop(columns=["event_timestamp", "created_timestamp"])
    nobody = pd.DataFrame({"member_id": [], "score": []})
    flags = standings(members, nobody, ()).assign(member_id=members["member_id"])
    return members, tagged(SHIPPED, snapshot, members, flags, {})


@dataclass(frozen=True)
class Shop:
    """members: truth, tags, segments and features of each, by member_id; the truth's columns begin with `true_`."""

    members: pd.DataFrame


@pytest.fixture(scope="module")
def grocer(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("grocer")
    home = Home(root / "home")
    simulate(Simulation(700, 400, 5, "grocery"), root / "shop", lambda *_: None)
    ingest(IngestConfig.load(root / "shop" / "recsys.toml"), home, lambda *_: None)
    members, made = cut(Tables.open(home.tables), home.snapshots)
    with duckdb.connect() as connection:
        truth = connection.execute(f"FROM '{root / 'shop' / 'truth' / 'members-*.parquet'}'").df()
    whole = truth.set_index("member_id").add_prefix("true_")
    for frame in (made.tags, made.segments, members[["member_id", "discounted_line_share"]]):
        whole = whole.join(frame.set_index("member_id"), how="inner")
    return Shop(whole)


def test_who_looks_for_bargains_is_found_and_better_than_by_the_plain_share(grocer: Shop) -> None:
    known = grocer.members[grocer.members["promotion_index"].notna()]
    assert len(known) > 500
    found, p = spearmanr(known["promotion_index"], known["true_bargain"])
    plain, _ = spearmanr(known["discounted_line_share"], known["true_bargain"])
    assert p < 1e-6
    assert found > plain
    bands = known.groupby("promotion")["true_bargain"].mean()
    assert bands["enthusiast"] > bands["sensitive"] > bands["indifferent"]
    assert bands["enthusiast"] > bands["indifferent"] + 0.15


def test_the_lost_have_left_and_the_loyal_have_not(grocer: Shop) -> None:
    alive = grocer.members.groupby("lifecycle")["true_alive_at_end"].mean()
    assert alive["lost"] < 0.25
    assert alive["lost"] < alive["slipping"] < alive["mature"]
    assert min(alive["loyal"], alive["mature"], alive["new"]) > 0.9


def test_a_drift_of_pace_shows_in_the_stage(grocer: Shop) -> None:
    living = grocer.members[grocer.members["true_alive_at_end"].astype(bool)]
    pace = np.log(living["true_pace_at_end"]).groupby(living["lifecycle"]).mean()
    assert pace["loyal"] > pace["mature"] + 0.1
    assert pace["loyal"] > pace["slipping"] + 0.1


def test_cuts_by_rank_split_those_who_are_cut_in_halves(grocer: Shop) -> None:
    parts = grocer.members["frequency_value"].value_counts()
    often = parts["high_high"] + parts.get("high_low", 0)
    assert 0.3 < often / parts.sum() < 0.55
    assert set(grocer.members["lifecycle"].dropna()) == {"new", "growing", "mature", "loyal", "slipping", "lost"}


def test_a_shop_of_orders_alone_has_its_segments_and_none_where_nothing_tells(tmp_path: Path) -> None:
    orders = make_frames(members=40)["orders"]
    bare = orders[["order_id", "member_id", "product_id", "ordered_at", "quantity", "amount"]]
    _, made = cut(store(tmp_path, {"orders": bare}), tmp_path / "snapshots")
    told = made.segments.set_index("member_id")
    assert told["lifecycle"].notna().all()
    assert told["frequency_value"].notna().any()
    assert told["rfm"].notna().all()
    assert told["preferred_hours"].notna().any()
    assert told[["promotion", "preferred_channel", "preferred_format"]].isna().all(axis=None)
    tags = made.tags.set_index("member_id")
    assert tags[["age_band", "child_age_months", "liked_format"]].isna().all(axis=None)
    assert tags[["tenure_days", "lateness", "visit_days_90d"]].notna().all(axis=None)
    assert {spec.name for spec in made.specs} == set(SHIPPED.segments)


def test_the_same_shop_gives_the_same_tags(tmp_path: Path) -> None:
    frames = make_frames(members=40)
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in frames.items()}
    (_, first), (_, second) = (
        cut(store(tmp_path / str(n), made), tmp_path / f"snapshots-{n}") for n, made in enumerate((frames, shuffled))
    )
    pd.testing.assert_frame_equal(first.tags, second.tags)
    pd.testing.assert_frame_equal(first.segments, second.segments)
    assert first.specs == second.specs
