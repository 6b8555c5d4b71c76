import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from recsys.answers.identity import make
from recsys.core.config import Home
from recsys.core.errors import ConfigError
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.tables import Tables
from recsys.store.database import database
from recsys.store.events import Event, EventType
from recsys.store.journal import Journal
from tests.shop import make_shop
from training.attribution import run_attribution
from training.events import run_events
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace

NOW = datetime.now(UTC).replace(microsecond=0)
CLICKS = {"a": 0.1, "b": 0.3}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    make_shop(tmp_path / "home", members=20, days=60)
    return Home(tmp_path / "home")


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    with database(home.database) as opened:
        yield opened


def simulate(engine: Engine, home: Home, *, visits: int) -> Counter[tuple[str, EventType]]:
    """Show every visitor three products; variant b is clicked three times as often, half of the clicks buy for 10.

    Returns how many events of each variant and type there were.
    """
    counts: Counter[tuple[str, EventType]] = Counter()
    draw = random.Random(0)
    events: list[Event] = []
    for visit in range(visits):
        variant = "ab"[visit % 2]
        recommendation = make("home", variant, "2025-03-31-x", "3")
        at = (NOW - timedelta(hours=1 + draw.random() * 240)).timestamp()
        for product in ("p1", "p2", "p3"):
            told: list[tuple[EventType, float, str | None]] = [(EventType.IMPRESSION, at, recommendation)]
            if draw.random() < CLICKS[variant]:
                told.append((EventType.CLICK, at + 5, recommendation))
                if draw.random() < 0.5:
                    told.append((EventType.PURCHASE, at + 600, None))
            events += [
                Event(
                    f"{visit}-{product}-{kind}",
                    kind,
                    moment,
                    moment,
                    member_id=f"m{visit}",
                    product_id=product,
                    recommendation_id=named,
                    amount=10.0 if kind is EventType.PURCHASE else None,
                )
                for kind, moment, named in told
            ]
            counts.update((variant, kind) for kind, *_ in told)
    draw.shuffle(events)
    journal = Journal(engine, home.live)
    for start in range(0, len(events), 500):
        journal.record(events[start : start + 500], "Asia/Shanghai")
    return counts


def test_the_report_finds_what_was_put_into_simulated_traffic(
    home: Home, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = simulate(engine, home, visits=1000)
    run_attribution(Workspace(home, Project(), Screen()), "", "", 7)
    told = capsys.readouterr().out
    lines = {line.split(" | ")[1]: line for line in told.splitlines() if line.startswith("| home")}
    for variant in CLICKS:
        cells = lines[variant].strip("| ").split(" | ")
        clicks, purchases = counts[variant, EventType.CLICK], counts[variant, EventType.PURCHASE]
        assert cells[:5] == ["home", variant, "3", "1500", str(clicks)]
        value, low, high = (float(text.strip("[],%")) / 100 for text in cells[5].split())
        assert low < value < high
        assert abs(value - clicks / 1500) < 1e-4
        assert [float(cell) for cell in cells[8:10]] == [purchases, 10 * purchases]
    assert "its window has not ended" in told


def test_a_period_without_touches_says_so_and_a_period_that_is_none_is_refused(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(home, Project(), Screen())
    run_attribution(workspace, "2024-01-01", "2024-02-01", 7)
    assert "no impressions" in capsys.readouterr().out
    with pytest.raises(ConfigError):
        run_attribution(workspace, "2024-02-01", "2024-02-01", 7)


def test_events_are_written_as_ingestion_takes_them(home: Home, engine: Engine, tmp_path: Path) -> None:
    at = NOW.timestamp()
    journal = Journal(engine, home.live)
    journal.record(
        [
            Event("1", EventType.VIEW, at, at, "王芳", None, "茶"),
            Event("2", EventType.SEARCH, at + 1, at + 1, None, "v", query="奶粉", placement="home"),
            Event("3", EventType.PURCHASE, at, at, "王芳", None, "茶", amount=3.0),
            Event("4", EventType.IMPRESSION, at, at, "王芳", None, "茶"),
        ],
        "Asia/Shanghai",
    )
    shop = tmp_path / "shop"
    shop.mkdir()
    run_events(Workspace(home, Project(), Screen()), shop / "events.parquet")
    assert pq.read_table(shop / "events.parquet").num_rows == 2
    (shop / "orders.csv").write_text(
        f"order_id,member_id,product_id,ordered_at,quantity,amount\n1,王芳,茶,{NOW:%Y-%m-%d %H:%M:%S},1,5\n",
        encoding="utf-8",
    )
    (shop / "recsys.toml").write_text('timezone = "Asia/Shanghai"\n', encoding="utf-8")
    other = Home(tmp_path / "other")
    ingest(IngestConfig.load(shop / "recsys.toml"), other, lambda *_: None)
    with Tables.open(other.tables).connect() as connection:
        found = connection.execute(
            "SELECT event_id, member_id, anonymous_id, type, product_id, query, placement, occurred_at FROM events "
            "ORDER BY event_id"
        ).fetchall()
    naive = NOW.replace(tzinfo=None)
    assert found == [
        ("1", "王芳", None, "view", "茶", None, None, naive),
        ("2", None, "v", "search", None, "奶粉", "home", naive + timedelta(seconds=1)),
    ]
