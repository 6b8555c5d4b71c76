"""What an answer costs in the process: a member with a list of 200, ten items, JSON and all."""

from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.policy import Placements, read_placements
from recsys.answers.recommend import recommend_json
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.store.live import NOTHING, Doings, Touch
from tests.large_publication import large_content
from tests.publications import AS_OF, member_id, product_id

SHIPPED = Path(__file__).parents[2] / "serving" / "placements.toml"
NOW = AS_OF.instant.timestamp() + 7200
EVERY_POLICY: dict[str, Any] = {
    "price_band": 0.5,
    "categories": {"deny": ["category 3"]},
    "brands": {"deny": ["brand 9"]},
    "caps": {"product_per_day": 3, "member_per_day": 1000},
    "pins": [{"product": product_id(77), "place": 3, "first_day": "2020-01-01"}],
    "boosts": [{"factor": 1.2, "brands": ["brand 7"]}],
    "variants": [{"name": "b", "share": 0.5, "change": {"mmr": 0.9}}],
}


def touches(*products: int) -> tuple[Touch, ...]:
    return tuple(Touch(product_id(n), NOW - 60 * age) for age, n in enumerate(products))


LATELY = {
    "nothing": NOTHING,
    "some views and a cart": Doings(
        viewed=touches(100, 101, 102),
        cart=touches(1000),
        shown={product_id(n): 1 for n in range(300, 320)},
        shown_total=20,
    ),
}


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    return Publication.open(write_publication(tmp_path_factory.mktemp("publications"), large_content(), keep=200))


@pytest.mark.parametrize("lately", LATELY)
@pytest.mark.parametrize("policy", ["shipped", "every policy on"])
def test_an_answer(publication: Publication, benchmark: BenchmarkFixture, policy: str, lately: str) -> None:
    placements = read_placements(SHIPPED)
    if policy != "shipped":
        home = placements.of("home").model_dump(exclude_defaults=True) | EVERY_POLICY
        placements = Placements.checked({"placements": {"home": home}})
    desk, done = Desk.of(publication, placements), LATELY[lately]
    members = [member_id(n) for n in range(100, 200)]

    def answers() -> None:
        for member in members:
            recommend_json(desk, Ask("home", member), doings=lambda: done, now=NOW)

    benchmark.extra_info["answers"] = len(members)
    benchmark(answers)
    assert recommend_json(desk, Ask("home", members[0]), doings=lambda: done, now=NOW).items == 10
