import math
from pathlib import Path

from recsys.data.simulator.cell import CELL
from recsys.data.simulator.write import Simulation, simulate
from training.screen import Screen


def run_simulate(screen: Screen, simulation: Simulation, out: Path, workers: int) -> None:
    """Write a simulated shop and tell how to read it."""
    with screen.step("simulate", math.ceil(simulation.members / CELL)) as advance:
        simulate(simulation, out, lambda done, total: advance(f"{done} of {total}"), workers=workers)
    screen.say(f"{out}: {simulation.profile}, {simulation.members} members, {simulation.days} days")
    screen.say(f"recsys ingest --config {out / 'recsys.toml'}")
