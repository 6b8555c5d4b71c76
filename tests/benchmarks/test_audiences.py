"""Previews of audiences among very many members, beside a bare DuckDB query of the same rule.

The preview counts, adds up, draws the histogram, tells the first members with their offers and says the rule in words;
the query, written by hand, counts and adds up over parquet files of the same publication, sorted by day. Both tell wall
time (the median is what counts) and, in `extra_info`, the median processor time of one call. RECSYS_BENCH_MEMBERS sets
how many members there are; RECSYS_BENCH_HOME a folder in which publications are kept between runs.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recsys.answers.audience.lookalike import lookalike
from recsys.answers.audience.offers import offers
from recsys.answers.audience.pick import pick, plan
from recsys.answers.audience.preview import preview_audience
from recsys.answers.audience.spec import parse_spec
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from tests.crowd import LAUNCH, crowd

SIZES = [int(text) for text in os.environ.get("RECSYS_BENCH_MEMBERS", "100000,1000000").split(",")]
ROUNDS = 15

HANDBOOK = {
    "all": [
        {"tag": "city", "is": ["北京"]},
        {"event": "visit", "days": 90, "min": 3},
        {"bought": {}, "days": 400},
        {"bought": {"brand": ["brand 7"]}, "days": 7, "max": 0},
    ]
}
DUE = {"score": "repurchase", "category": ["category 7"], "within": 7, "min": 0.5}
LAUNCHED = {
    "all": [
        {"score": "new_product", "product_id": LAUNCH, "top_share": 0.05},
        {"contacted": {}, "days": 14, "max": 0},
    ]
}
RULES: dict[str, dict[str, Any]] = {"handbook": HANDBOOK, "due": DUE, "launch": LAUNCHED}

QUERIES = {
    "handbook": """
        WITH visited AS (
            SELECT member FROM events WHERE day >= $day - 90 GROUP BY member HAVING count(DISTINCT day) >= 3
        ),
        bought AS (SELECT DISTINCT member FROM purchases),
        brand AS (SELECT DISTINCT member FROM purchases JOIN products USING (product)
                  WHERE day >= $day - 7 AND brand = 'brand 7')
        SELECT count(*), sum(active) FROM members SEMI JOIN visited USING (member) SEMI JOIN bought USING (member)
            ANTI JOIN brand USING (member) WHERE city = '北京'
    """,
    "due": """
        SELECT count(*), sum(p) FROM (
            SELECT member, max(p7) AS p FROM needs WHERE category = 'category 7' GROUP BY member HAVING max(p7) >= 0.5
        )
    """,
    "launch": """
        WITH best AS (SELECT member, tried FROM members ORDER BY tried DESC, member LIMIT $top)
        SELECT count(*), sum(tried) FROM best
            ANTI JOIN (SELECT member FROM contacts WHERE day >= $day - 14) USING (member)
    """,
}


@pytest.fixture(scope="module", params=SIZES)
def publication(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Publication:
    kept = os.environ.get("RECSYS_BENCH_HOME")
    root = Path(kept) / f"crowd_{request.param}" if kept else tmp_path_factory.mktemp("publications")
    if not (root / "CURRENT").exists():
        write_publication(root, crowd(request.param))
    return Publication.open_current(root)


@pytest.fixture(scope="module")
def tables(publication: Publication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same facts and columns as parquet files, days sorted, behind views of a connection with all cores."""
    folder = tmp_path_factory.mktemp("parquet")
    facts, rows = publication.facts, np.arange(len(publication.members))
    city = publication.tag("city")
    brands = np.array([*publication.brands, None], dtype=object)
    needs = publication.repurchase
    columns: dict[str, dict[str, Any]] = {
        name: {
            "day": of.day(np.arange(len(of.member))).astype(np.int32),
            "member": np.asarray(of.member),
            **({"product": np.asarray(of.columns["product"])} if "product" in of.columns else {}),
        }
        for name, of in (("events", facts.events), ("purchases", facts.purchases), ("contacts", facts.contacts))
    }
    columns["products"] = {"product": np.arange(len(publication.products)), "brand": brands[publication.product_brand]}
    columns["members"] = {
        "member": rows,
        "city": np.array([*city.labels, None], dtype=object)[city.values],
        "active": 1 - publication.churn,
        "tried": np.asarray(publication.new_product.columns["score"]),
    }
    columns["needs"] = {
        "member": needs.groups(np.arange(len(needs.other))),
        "category": np.array(publication.categories, dtype=object)[needs.other],
        "p7": np.asarray(needs.columns["p7"]),
    }
    with duckdb.connect() as connection:
        for name, own in columns.items():
            pq.write_table(pa.table(own), folder / f"{name}.parquet")
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder / name}.parquet')")
        yield connection


def measured(benchmark: BenchmarkFixture, work: Callable[[], Any], rounds: int = ROUNDS) -> Any:
    """Run some rounds, after two to warm up, and note the median processor time of one."""
    spent: list[float] = []

    def once() -> Any:
        start = time.process_time()
        found = work()
        spent.append(time.process_time() - start)
        return found

    found = benchmark.pedantic(once, rounds=rounds, warmup_rounds=2)  # type: ignore[no-untyped-call]
    benchmark.extra_info["cpu_ms"] = round(1000 * statistics.median(spent[2:]), 1)
    return found


@pytest.mark.benchmark(group="preview")
@pytest.mark.parametrize("rule", RULES)
def test_preview(benchmark: BenchmarkFixture, publication: Publication, rule: str) -> None:
    spec = parse_spec({"rule": RULES[rule]})
    assert measured(benchmark, lambda: preview_audience(publication, spec)).count > 0


@pytest.mark.benchmark(group="preview")
@pytest.mark.parametrize("rule", QUERIES)
def test_bare_duckdb(
    benchmark: BenchmarkFixture, publication: Publication, tables: duckdb.DuckDBPyConnection, rule: str
) -> None:
    given = {"day": publication.as_of.number, "top": round(0.05 * len(publication.members))}
    used = {name: value for name, value in given.items() if f"${name}" in QUERIES[rule]}
    count, expected = measured(benchmark, lambda: tables.execute(QUERIES[rule], used).fetchall()[0])
    ours = preview_audience(publication, parse_spec({"rule": RULES[rule]}))
    assert count == ours.count
    assert expected == pytest.approx(ours.expected, rel=1e-4)


@pytest.mark.benchmark(group="preview of a template")
@pytest.mark.parametrize(
    "asked",
    [
        {"template": "repurchase_reminder"},
        {"template": "new_product_trial", "answers": {"product_id": LAUNCH}},
        {"template": "win_back"},
        {"template": "price_promotion"},
        {"template": "cross_sell", "answers": {"bought": ["category 1"], "other": ["category 2"]}},
    ],
    ids=lambda asked: asked["template"],
)
def test_preview_of_a_template(benchmark: BenchmarkFixture, publication: Publication, asked: dict[str, Any]) -> None:
    spec = parse_spec(asked)
    assert measured(benchmark, lambda: preview_audience(publication, spec)).count > 0


@pytest.mark.benchmark(group="everybody picked, with offers")
def test_offers_of_everybody(benchmark: BenchmarkFixture, publication: Publication) -> None:
    laid = plan(publication, parse_spec({"rule": {"all": []}}))

    def work() -> int:
        picked = pick(publication, laid)
        return len(offers(publication, laid, picked)["benefit"])

    assert measured(benchmark, work, rounds=3) == len(publication.members)


@pytest.mark.benchmark(group="look-alikes of 5,000 members")
def test_lookalikes(benchmark: BenchmarkFixture, publication: Publication) -> None:
    every = len(publication.members) // 5000
    seeds = [publication.members.text(row) for row in range(0, 5000 * every, every)]
    found = measured(benchmark, lambda: lookalike(publication, seeds, size=50_000), rounds=3)
    assert len(found.rows) == 50_000
