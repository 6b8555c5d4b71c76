import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from recsys.answers.policy import read_placements
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError
from recsys.store.live import Doings, Touch
from serving import front as front_module
from serving.breaker import DEADLINE_SECONDS, LATE
from serving.front import Front
from serving.live_reads import GONE, LiveReads
from tests.publications import content, product_id
from tests.unit.serving.stores import Heard, Store
from tests.watching import until

SEEN = Doings(viewed=(Touch("p001", 1.0),))
PLACEMENTS = Path(__file__).parents[3] / "serving" / "placements.toml"


@pytest.fixture
def store() -> Store:
    store = Store()
    store.done = SEEN
    return store


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def reads(store: Store, heard: Heard, tmp_path: Path) -> LiveReads:
    return LiveReads(store, tmp_path / "live", heard)


def test_a_store_that_is_well_is_read(reads: LiveReads, store: Store) -> None:
    assert reads.doings("m", None, 0.0) is SEEN
    assert reads.trouble is None
    assert store.reads == 1


def test_a_store_that_breaks_is_left_alone_until_it_is_well_again(reads: LiveReads, store: Store, heard: Heard) -> None:
    store.error = ArtifactError(Path("live"), "cannot be read")
    assert reads.doings("m", None, 0.0) is None
    after = store.reads
    assert [reads.doings("m", None, 0.0) for _ in range(100)] == [None] * 100
    assert store.reads <= after + 1  # what tries it is the breaker's own thread
    assert reads.trouble is not None
    assert "ArtifactError" in reads.trouble
    store.error = None
    until(lambda: reads.trouble is None)
    assert reads.doings("m", None, 0.0) is SEEN
    until(lambda: heard.usable == [False, True])
    reads.stop()


def test_a_read_that_is_late_is_the_last_one(reads: LiveReads, store: Store) -> None:
    store.pause = DEADLINE_SECONDS * 1.5
    assert reads.doings("m", None, 0.0) is SEEN
    assert reads.trouble == LATE
    began = time.perf_counter()
    assert reads.doings("m", None, 0.0) is None
    assert time.perf_counter() - began < DEADLINE_SECONDS
    store.pause = 0.0
    until(lambda: reads.trouble is None)
    reads.stop()


def test_a_file_that_vanishes_is_a_loss_and_one_that_never_was_is_none(reads: LiveReads, tmp_path: Path) -> None:
    reads.look()
    assert reads.doings("m", None, 0.0) is SEEN
    (tmp_path / "live").mkdir()
    reads.look()
    (tmp_path / "live").rename(tmp_path / "away")
    reads.look()
    assert reads.trouble == GONE
    assert reads.doings("m", None, 0.0) is None
    (tmp_path / "away").rename(tmp_path / "live")
    until(lambda: reads.trouble is None)
    reads.stop()


def test_stock_comes_back_as_the_same_object_until_it_changes(reads: LiveReads, store: Store) -> None:
    store.version, store.told = 1, {"p001": 0.0}
    first = reads.stock(5.0)
    assert first == {"p001": 0.0}
    assert reads.stock(5.0) is first
    store.version, store.told = 2, {"p001": 3.0}
    assert reads.stock(5.0) == {"p001": 3.0}


def test_the_stock_last_known_holds_while_the_store_is_lost(reads: LiveReads, store: Store) -> None:
    store.version, store.told = 1, {"p001": 0.0}
    known = reads.stock(5.0)
    store.error = ArtifactError(Path("live"), "cannot be read")
    assert reads.stock(5.0) is known
    assert reads.stock(5.0) is known
    assert reads.stock(6.0) == {}
    reads.stop()


class TestFront:
    @pytest.fixture
    def publication(self, tmp_path: Path) -> Publication:
        return Publication.open(write_publication(tmp_path / "publications", content()))

    def sold(self, front: Front, product: str) -> bool:
        desk = front.desk()
        assert desk is not None
        row = desk.publication.products.row(product)
        assert row is not None
        return bool(desk.deal("home").sold[-1][row])

    def test_there_is_no_desk_before_a_publication(self, reads: LiveReads) -> None:
        assert Front(reads).desk() is None

    def test_a_change_of_stock_holds_from_the_next_request_on_both_ways(
        self, reads: LiveReads, store: Store, publication: Publication, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(front_module, "REST", 0)
        front = Front(reads)
        front.lay(publication, read_placements(PLACEMENTS))
        product = product_id(1)
        assert self.sold(front, product)
        store.version, store.told = 1, {product: 0.0}
        assert not self.sold(front, product)
        store.version, store.told = 2, {product: 4.0}
        assert self.sold(front, product)
        first, second = front.desk(), front.desk()
        assert first is second

    def test_restocking_takes_a_share_of_the_time_only(
        self, reads: LiveReads, store: Store, publication: Publication, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(front_module, "REST", 1e6)
        front = Front(reads)
        front.lay(publication, read_placements(PLACEMENTS))
        store.version, store.told = 1, {product_id(1): 0.0}
        assert not self.sold(front, product_id(1))
        store.version, store.told = 2, {product_id(1): 9.0}
        assert not self.sold(front, product_id(1))

    def test_a_desk_laid_while_another_is_restocked_is_the_one_that_stays(
        self, reads: LiveReads, store: Store, publication: Publication, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        front = Front(reads)
        placements = read_placements(PLACEMENTS)
        front.lay(publication, placements)
        before = front.laid
        assert before is not None
        restocked = type(before).restocked

        def slowly(desk: object, stock: Mapping[str, float]) -> object:
            if desk is before:
                other = threading.Thread(target=front.lay, args=(publication, placements))
                other.start()
                other.join()
            return restocked(desk, stock)  # type: ignore[arg-type]

        monkeypatch.setattr(type(before), "restocked", slowly)
        store.version, store.told = 1, {product_id(1): 0.0}
        assert front.desk() is not front.laid
        assert front.laid is not before
