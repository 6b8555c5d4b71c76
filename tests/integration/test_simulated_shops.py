"""Shops as the command writes them: the same for the same seed, whole, taken by ingestion, and true to their truth."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
from scipy.stats import spearmanr

from recsys.core.config import Home
from recsys.core.errors import ConfigError
from recsys.core.time import EPOCH
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.simulator.calendar import END
from recsys.data.simulator.cell import CELL
from recsys.data.simulator.write import PROFILES, Simulation, simulate
from recsys.data.tables import Tables
from training import cli

DAYS = 400
MEMBERS = {"grocery": 260, "fashion": 2200, "mother-and-baby": 700}


@dataclass(frozen=True)
class Shop:
    """A simulated shop, ingested."""

    profile: str
    folder: Path
    tables: Tables
    rejected: int

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Query the stored tables, and the truth by its own names; days are numbers, as in orders."""
        with self.tables.connect() as connection:
            for name in ("members", "cycles", "effects"):
                files = self.folder / "truth" / f"{name}-*.parquet"
                connection.execute(f"CREATE VIEW true_{name} AS FROM '{files}'")
            connection.execute(f"CREATE VIEW stock_outs AS FROM '{self.folder / 'truth' / 'stock_outs.parquet'}'")
            connection.execute("CREATE VIEW bought AS FROM orders WHERE NOT is_return")
            connection.execute(f"CREATE MACRO number(d) AS CAST(d AS DATE) - DATE '{EPOCH}'")
            return connection.execute(sql).fetchall()

    def number(self, sql: str) -> float:
        """Return the one number that a query answers."""
        return float(str(self.ask(sql)[0][0]))

    def columns(self, sql: str) -> list[np.ndarray]:
        """Return a query's columns."""
        return [np.array(column, dtype=np.float64) for column in zip(*self.ask(sql), strict=True)]


@pytest.fixture(scope="module", params=sorted(PROFILES))
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp(request.param)
    folder, home = root / "shop", Home(root / "home")
    simulate(Simulation(MEMBERS[request.param], DAYS, 11, request.param), folder, lambda *_: None)
    report = ingest(IngestConfig.load(folder / "recsys.toml"), home, lambda *_: None)
    rejected = sum(table.bad + table.skipped for table in report.tables)
    assert len(report.tables) == 8
    return Shop(request.param, folder, Tables.open(home.tables), rejected)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    files = f"'{folder / table}-*.parquet'"
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT * FROM {files} ORDER BY ALL").fetchall()


def test_the_same_seed_gives_the_same_bytes_whatever_works_on_it(tmp_path: Path) -> None:
    simulation = Simulation(CELL + 100, 40, 5, "fashion")
    progress: list[tuple[int, int]] = []
    simulate(simulation, tmp_path / "a", lambda done, total: progress.append((done, total)), part=1)
    simulate(simulation, tmp_path / "b", lambda *_: None, workers=2, part=1)
    assert progress == [(0, 2), (1, 2), (2, 2)]
    made = digests(tmp_path / "a")
    assert made == digests(tmp_path / "b")
    assert {"orders-0000.parquet", "orders-0001.parquet", "truth/members-0001.parquet", "recsys.toml"} <= made.keys()
    simulate(simulation, tmp_path / "whole", lambda *_: None)
    for table in ("orders", "members", "events", "contacts", "truth/cycles", "truth/effects"):
        assert rows(tmp_path / "a", table) == rows(tmp_path / "whole", table)
    simulate(Simulation(CELL + 100, 40, 6, "fashion"), tmp_path / "other", lambda *_: None)
    assert rows(tmp_path / "a", "orders") != rows(tmp_path / "other", "orders")


def test_ingestion_takes_every_row(shop: Shop) -> None:
    assert shop.rejected == 0
    assert (shop.tables.end.day, shop.tables.zone) == (END, "Asia/Shanghai")
    assert shop.tables.end.number - shop.tables.first.number == DAYS
    named = shop.number("SELECT count(DISTINCT name) / count(DISTINCT product_id) FROM products")
    assert named == 1
    assert shop.number("SELECT avg(CAST(regexp_matches(name, '[一-龥]') AS INTEGER)) FROM products") == 1
    assert shop.number("SELECT count(*) FROM members WHERE NOT consent_personalised") > 0


@pytest.mark.parametrize(
    ("what", "broken"),
    [
        ("unknown members", "orders ANTI JOIN members USING (member_id)"),
        ("unknown products", "orders ANTI JOIN products USING (product_id)"),
        ("events of nobody", "events ANTI JOIN members USING (member_id) WHERE member_id IS NOT NULL"),
        ("events with nothing", "(FROM events WHERE product_id IS NOT NULL) ANTI JOIN products USING (product_id)"),
        ("contacts of nobody", "contacts ANTI JOIN members USING (member_id)"),
        ("contacts of no campaign", "contacts ANTI JOIN campaigns USING (campaign_id)"),
        ("coupons of no campaign", "coupons ANTI JOIN campaigns USING (campaign_id)"),
        (
            "redemptions without an order line of theirs",
            "redemptions ANTI JOIN orders USING (coupon_id, member_id, order_id)",
        ),
        (
            "coupons used without being sent",
            "redemptions ANTI JOIN (FROM contacts WHERE arm = '触达') USING (campaign_id, member_id)",
        ),
        (
            "coupons used on what they do not count for",
            "(FROM orders WHERE coupon_id IS NOT NULL) ANTI JOIN coupons USING (coupon_id, product_id)",
        ),
        ("orders before joining", "orders JOIN members USING (member_id) WHERE ordered_at < registered_at"),
        ("contacts before joining", "contacts JOIN members USING (member_id) WHERE sent_at < registered_at"),
        (
            "sales before the launch or after the end",
            "bought JOIN products USING (product_id) WHERE ordered_at < launched_at OR ordered_at >= delisted_at",
        ),
        (
            "sales of what was out of stock",
            "bought JOIN stock_outs USING (product_id) WHERE day >= number(from_day) AND day < number(until_day)",
        ),
        (
            "returns of what was not bought before",
            "(FROM orders WHERE is_return) a ANTI JOIN bought b USING (order_id, product_id, member_id, amount)",
        ),
        (
            "orders after death",
            "bought JOIN true_members USING (member_id) WHERE day > number(death_day)",
        ),
        ("truth of nobody", "members ANTI JOIN true_members USING (member_id)"),
    ],
)
def test_nothing_contradicts_anything(shop: Shop, what: str, broken: str) -> None:
    assert shop.ask(f"SELECT count(*) FROM {broken}") == [(0,)], what


def test_events_lead_to_orders(shop: Shop) -> None:
    told = shop.number(
        "SELECT avg(CAST(EXISTS (FROM events e WHERE e.member_id = o.member_id AND e.product_id = o.product_id "
        "AND e.occurred_at < o.ordered_at AND e.day = o.day) AS INTEGER)) "
        "FROM bought o WHERE channel <> '门店'"
    )
    assert told > 0.6
    before = shop.number("SELECT count(*) FROM events JOIN members USING (member_id) WHERE occurred_at < registered_at")
    assert before == 0


def test_a_shop_is_like_its_profile(shop: Shop) -> None:
    basket = shop.number("SELECT count(*) / count(DISTINCT order_id) FROM bought")
    once = shop.number(
        "SELECT avg(CAST(n = 1 AS INTEGER)) FROM (SELECT count(DISTINCT order_id) n FROM bought GROUP BY member_id)"
    )
    repeat = shop.number(
        "SELECT avg(CAST(n > 1 AS INTEGER)) FROM (SELECT day, row_number() OVER "
        "(PARTITION BY member_id, product_id ORDER BY day) n FROM bought) "
        "WHERE day >= (SELECT min(day) + 200 FROM bought)"
    )
    returned = shop.number("SELECT avg(CAST(is_return AS INTEGER)) FROM orders")
    if shop.profile == "grocery":
        assert basket > 5
        assert (once < 0.1, repeat > 0.5, returned < 0.02) == (True, True, True)
    elif shop.profile == "fashion":
        assert basket < 2
        assert (once > 0.5, repeat < 0.1, returned > 0.08) == (True, True, True)
    else:
        assert 1.5 < basket < 5
        assert (once < 0.25, 0.35 < repeat < 0.75) == (True, True)


def test_the_time_between_purchases_tells_the_cycle(shop: Shop) -> None:
    if shop.profile == "fashion":
        assert shop.number("SELECT count(*) FROM true_cycles") < 0.2 * MEMBERS["fashion"]
        return
    cycle, gap = shop.columns(
        "WITH days AS (SELECT DISTINCT member_id, category, day FROM bought JOIN products USING (product_id)), "
        "gaps AS (SELECT *, day - lag(day) OVER (PARTITION BY member_id, category ORDER BY day) gap FROM days) "
        "SELECT any_value(cycle_days), median(gap) FROM gaps JOIN true_cycles USING (member_id, category) "
        "JOIN true_members USING (member_id) WHERE visits_a_day * trip_share > 0.15 "
        "GROUP BY member_id, category HAVING count(gap) >= 5"
    )
    assert len(cycle) > 150
    assert spearmanr(cycle, gap).statistic > (0.6 if shop.profile == "grocery" else 0.5)
    assert 0.8 < np.median(gap / cycle) < 1.6


def test_needs_end_where_the_truth_says(shop: Shop) -> None:
    if shop.profile != "mother-and-baby":
        assert shop.number("SELECT count(need_end) FROM true_cycles") == 0
        return
    bought = (
        "FROM bought o JOIN products USING (product_id) JOIN true_cycles t USING (member_id, category) "
        "WHERE need_end IS NOT NULL AND NOT EXISTS "
        "(FROM true_effects e WHERE e.member_id = o.member_id AND number(extra_order_at + INTERVAL 8 HOUR) = o.day)"
    )
    assert shop.number(f"SELECT count(*) {bought}") > 3000
    assert shop.number(f"SELECT count(*) {bought} AND (day < number(need_from) OR day > number(need_end))") == 0
    late = shop.number(
        "SELECT median(date_diff('day', child_birth_date, need_end)) FROM true_cycles JOIN members USING (member_id) "
        "WHERE category = '奶粉2段'"
    )
    assert late == pytest.approx(365, abs=20)
    stages = shop.ask(
        "SELECT category, from_month, to_month, next_category FROM life_stages WHERE category = '奶粉1段'"
    )
    assert stages == [("奶粉1段", 0, 6, "奶粉2段")]


def test_members_leave_at_the_rate_of_their_hazard(shop: Shop) -> None:
    expected, left = shop.columns(
        "SELECT 1 - exp(-death_hazard * (number(DATE '2025-10-01') - greatest(number(registered_at), "
        f"number(DATE '2025-10-01') - {DAYS}))), CAST(death_day IS NOT NULL AS INTEGER) "
        "FROM true_members JOIN members USING (member_id)"
    )
    assert left.mean() == pytest.approx(expected.mean(), abs=3 * np.sqrt(expected.mean() / len(left)))
    assert np.corrcoef(expected, left)[0, 1] > 0.2


def test_an_unknown_profile_a_folder_in_use_and_odd_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(ConfigError, match="new folder"):
        simulate(Simulation(10, 30, 0, "grocery"), tmp_path / "used", lambda *_: None)
    for arguments in ((0, 30, 0, "grocery"), (10, 5, 0, "grocery"), (10, 30, -1, "grocery"), (10, 30, 0, "bakery")):
        with pytest.raises(ConfigError):
            Simulation(*arguments)


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Simulation(10, 30, 0, "grocery"), tmp_path / "shop", stop)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_shop_and_says_how_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "店"
    words = ("simulate", "--members", "30", "--days", "30", "--seed", "2", "--profile", "fashion", "--out", str(folder))
    monkeypatch.setattr("sys.argv", ["recsys", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert f"recsys ingest --config {folder / 'recsys.toml'}" in capsys.readouterr().out
    assert (folder / "truth" / "effects-0000.parquet").is_file()
