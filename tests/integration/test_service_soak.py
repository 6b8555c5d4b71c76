"""A short soak; `make soak` runs the long one."""

from pathlib import Path

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import MEMBERS, content
from tests.serving_process import serve_command, serving
from tests.soak import Wish, soak

GROWTH = 40_000_000
"""Bytes that may be added after the first half: allocators do not give all back, but a leaked publication is more."""


def test_under_load_swaps_and_events_nothing_fails_and_memory_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    names = [write_publication(home.publications, content(seed=seed)).name for seed in range(3)]
    with serving(serve_command(), home.root, tmp_path) as service:
        soaked = soak(service, home.publications, names, Wish(16, 0.6, 4, 8), MEMBERS)
    assert soaked.failed == 0
    assert soaked.refused == 0
    assert soaked.swaps >= 10
    assert soaked.events > 20
    assert soaked.samples[-1].resident - soaked.samples[3].resident < GROWTH
