"""Week after week: publications, their moves, an alert at a real webhook, the command's and the service's answers."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.history import publication_before, timeline
from recsys.artifacts.tagging.settings import Segments
from recsys.core.config import Home
from recsys.core.webhook import DELIVERY, signed_well
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot
from recsys.features.described import CANDIDATES
from recsys.features.life_stage import needs
from recsys.models.catalog import CATALOG
from tests.receiver import Receiver
from tests.serving_process import serve_command, serving
from tests.shop import at, store
from training import cli
from training.content import content, with_needs
from training.publish import called, members_with
from training.score_files import scores_of
from training.screen import Screen
from training.segments import TAGGED_FROM, asked_for, keep, keep_current, tagged
from training.tags import FEATURES

MEMBERS, WEEKS, FIRST = 60, 6, 35
LEAVE_A_WEEK, LEAVE_AT_LAST = 4, 24
SECRET = "钥匙"
SETTINGS = """
[segments.pace]
zh = "节奏"
en = "pace"
about_zh = "近30天购买天数"
about_en = "purchase days of the last 30"

[[segments.pace.values]]
code = "often"
zh = "常来"
en = "often"
when = [{{ tag = "days_since_purchase", max = 7 }}]

[[segments.pace.values]]
code = "seldom"
zh = "少来"
en = "seldom"

[[alerts]]
segment = "pace"
from = ["often"]
to = ["seldom"]
least = 10

[webhook]
url = "{url}"
secret_env = "SHOP_HOOK_SECRET"
"""


def orders(end: int) -> pd.DataFrame:
    """Everybody buys every other day until they stop: four more members each week, 24 more in the last one."""
    rows = []
    for n in range(MEMBERS):
        week = n // LEAVE_A_WEEK
        stops = FIRST + 7 * week if week < WEEKS - 1 else FIRST + 7 * (WEEKS - 1)
        stops = stops if n < LEAVE_A_WEEK * (WEEKS - 1) + LEAVE_AT_LAST else 10_000
        rows += [(f"会员{n:02d}", day) for day in range(n % 2, min(end, stops - 7), 2)]
    rows.append(("earliest", 0))
    rows += [("every day", day) for day in range(end)]
    frame = pd.DataFrame(rows, columns=["member_id", "day"])
    return frame.assign(
        order_id=np.arange(len(frame)).astype(str),
        product_id="p",
        quantity=1.0,
        amount=2.0,
        ordered_at=[at(day) for day in frame["day"]],
    ).drop(columns="day")


def publish(home: Home) -> None:
    """Publish the day after the data as the command does, without models, which so few days cannot teach."""
    tables = Tables.open(home.tables)
    snapshot, settings = tables.at(tables.end), Segments.of_home(home.root)
    folder = build_snapshot(snapshot, home.snapshots, candidates=CANDIDATES)
    scores = {name: scores_of(None, recipe.task) for name, recipe in CATALOG.items()}
    scores["repurchase"] = with_needs(scores["repurchase"], needs(snapshot))
    members = members_with(folder, {*FEATURES, *TAGGED_FROM, *asked_for(settings)})
    flags = called(members, scores, snapshot.as_of)
    before = publication_before(home.publications, home.tags, snapshot.as_of)
    whole = content(tables, folder, scores, {}, flags)
    cut = {} if before is None else {name: one.spec for name, one in before.traits.segments.items()}
    whole = replace(whole, tagged=tagged(settings, snapshot, members, flags, cut))
    publication = Publication.open(write_publication(home.publications, whole))
    keep(home, Screen(), settings, publication, before)


@dataclass(frozen=True)
class Shop:
    """A home after some weeks of publishing, and what its webhook got."""

    home: Home
    receiver: Receiver
    runner: CliRunner

    @property
    def publication(self) -> Publication:
        return Publication.open_current(self.home.publications)

    def run(self, *words: str) -> str:
        result = self.runner.invoke(cli.app, list(words))
        assert result.exception is None, result.exception
        return result.output


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("商城")
    receiver = Receiver([500, 204])
    home = Home(root / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_HOME", str(home.root))
        patch.setenv("SHOP_HOOK_SECRET", SECRET)
        patch.chdir(root)
        home.root.mkdir()
        (home.root / "segments.toml").write_text(SETTINGS.format(url=receiver.url), encoding="utf-8")
        made = Shop(home, receiver, CliRunner())
        for week in range(WEEKS):
            store(home.root, {"orders": orders(FIRST + 7 * week)})
            publish(home)
        yield made
    receiver.stop()


def test_every_week_is_kept_with_who_moved_whither(shop: Shop) -> None:
    line = timeline(shop.home.tags, shop.publication.name)
    assert len(line) == WEEKS
    counts = [entry.movements["pace"].moved(["often"], ["seldom"]) for entry in line[1:]]
    assert counts == [LEAVE_A_WEEK] * (WEEKS - 2) + [LEAVE_AT_LAST]
    for before, after in pairwise(line):
        moved = after.movements["pace"]
        assert tuple(map(sum, moved.counts))[:-1] == before.sizes["pace"]
        assert tuple(map(sum, zip(*moved.counts, strict=True)))[:-1] == after.sizes["pace"]


def test_the_unusual_week_reaches_the_webhook_signed_and_at_the_second_attempt(shop: Shop) -> None:
    assert len(shop.receiver.got) == 2
    (_, first, body), (_, second, again) = shop.receiver.got
    assert body == again
    assert first[DELIVERY] == second[DELIVERY] == shop.publication.name
    assert signed_well(body, SECRET, second, now=time.time())
    told = json.loads(body)
    (alert,) = told["alerts"]
    assert (told["publication"], alert["moved"], alert["expected"]) == (
        shop.publication.name,
        LEAVE_AT_LAST,
        LEAVE_A_WEEK,
    )
    assert alert["en"].startswith("often -> seldom up 500% on the 4-week mean")
    assert "常来 → 少来" in alert["zh"]
    keep_current(shop.home, Screen(), Segments.of_home(shop.home.root))
    assert len(shop.receiver.got) == 2, "what was taken is not sent again"


def test_the_command_shows_sizes_moves_and_alerts(shop: Shop) -> None:
    told = shop.run("segments")
    assert "often -> seldom up 500%" in told
    assert "常来" in told
    sizes = dict(zip(("often", "seldom", "none"), shop.publication.segment("pace").sizes(), strict=True))
    lines = [line.split() for line in told.splitlines()]
    assert ["often", str(sizes["often"])] in [line[:2] for line in lines]
    assert ["often", str(sizes["often"]), str(LEAVE_AT_LAST)] in lines
    assert shop.run("segments", "pace").splitlines()[2:] == told.splitlines()[2:]
    missing = shop.runner.invoke(cli.app, ["segments", "colour"])
    assert "none of pace" in str(missing.exception)


def test_the_command_shows_tags_and_how_they_changed(shop: Shop) -> None:
    catalogue = shop.run("tags")
    assert "days_since_purchase" in catalogue
    assert "距上次购买天数" in catalogue
    told = shop.run("tags", "会员00")
    assert ["pace", "seldom"] in [line.split()[:2] for line in told.splitlines()]
    history = [line.split() for line in shop.run("tags", "会员10", "--history").splitlines()]
    changed = [line for line in history if line[1:2] == ["pace"]]
    assert [line[2:4] for line in changed] == [["unknown", "often"], ["often", "seldom"]]
    assert str(shop.publication.as_of) not in {line[0] for line in changed}
    for words in (["tags", "nobody"], ["tags", "--history"]):
        assert "member" in str(shop.runner.invoke(cli.app, words).exception)


def test_the_service_tells_the_same(shop: Shop, tmp_path: Path) -> None:
    with serving(serve_command(), shop.home.root, tmp_path) as service, httpx.Client(base_url=service.url) as client:
        tags = client.get("/tags").json()["tags"]
        assert [tag["name"] for tag in tags] == list(shop.publication.traits.tags)
        told = client.get("/segments").json()
        (pace,) = told["segments"]
        assert [part["size"] for part in pace["parts"]] == list(shop.publication.segment("pace").sizes())
        assert [sum(row) for row in pace["movement"]["counts"]][:3] == [part["before"] for part in pace["parts"]]
        assert [one["as_of"] for one in pace["sizes"]][-1] == told["as_of"]
        assert len(pace["sizes"]) == WEEKS
        assert [alert["moved"] for alert in told["alerts"]] == [LEAVE_AT_LAST]
        member = client.get("/members/会员10/tags", params={"history": "true"}).json()
        assert (member["standing"], member["segments"]) == ("known", {"pace": "seldom"})
        assert [one["after"] for one in member["history"] if one["name"] == "pace"] == ["often", "seldom"]
        assert client.get("/members/会员10/tags").json()["history"] == []
        assert client.get("/members/nobody/tags").status_code == 404


def test_what_changed_outlives_the_publications(shop: Shop, tmp_path: Path) -> None:
    copy = Home(tmp_path / "home")
    shutil.copytree(shop.home.root, copy.root)
    current = shop.publication.name
    for folder in copy.publications.glob("[0-9]*"):
        if folder.name != current:
            shutil.rmtree(folder)
    assert len(timeline(copy.tags, current)) == WEEKS
