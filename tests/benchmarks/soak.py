"""Ten minutes of load, swaps and events; `python -m tests.benchmarks.soak` prints memory and answers over time."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.benchmarks.machine import machine
from tests.large_publication import MEMBERS, large_content
from tests.serving_process import serve_command, serving
from tests.soak import Wish, soak

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--swap-every", type=float, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--samples", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "home"))
        names = [write_publication(home.publications, large_content(seed=seed)).name for seed in range(3)]
        with serving(serve_command(), home.root, Path(folder), more={"PYTHONPATH": os.fspath(ROOT)}) as service:
            wish = Wish(asked.seconds, asked.swap_every, asked.connections, asked.samples)
            soaked = soak(service, home.publications, names, wish, MEMBERS)
    _say(f"{machine()}; {asked.connections} connections, a swap every {asked.swap_every:g} s, 20 events a second\n")
    _say("| seconds | memory MB | a second | p50 ms | p99 ms | failed |")
    _say("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for sample in soaked.samples:
        met = sample.met
        cells = (f"{sample.at:.0f}", f"{sample.resident / 1e6:.0f}", f"{met.per_second:,.0f}")
        _say(f"| {' | '.join(cells)} | {met.p50 * 1e3:.2f} | {met.p99 * 1e3:.2f} | {met.failed} |")
    events = f"events: {soaked.events} taken, {soaked.refused} refused"
    _say(f"\n{soaked.swaps} swaps; {events}; {soaked.failed} answers failed")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
