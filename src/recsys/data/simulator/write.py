"""A simulated shop on disk: tables and their truth as parquet, and the settings to ingest them."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp

import pyarrow.parquet as pq

from recsys.core.errors import ConfigError
from recsys.data.simulator.calendar import END, NEW_YEARS
from recsys.data.simulator.cell import CELL, live
from recsys.data.simulator.columns import ZONE
from recsys.data.simulator.fashion import FASHION
from recsys.data.simulator.grocery import GROCERY
from recsys.data.simulator.mother_and_baby import MOTHER_AND_BABY
from recsys.data.simulator.profile import Profile
from recsys.data.simulator.tables import Tables, cell_tables, world_tables
from recsys.data.simulator.truth import cell_truth, world_truth
from recsys.data.simulator.world import World, make_world

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (GROCERY, FASHION, MOTHER_AND_BABY)}
TRUTH = "truth"
PART = 32
"""Cells whose rows stand in one file."""
LEAST_DAYS = 30
MOST_DAYS = (END - NEW_YEARS[0]).days
ORIGIN = "simulated"

Progress = Callable[[int, int], None]
"""Called with the cells written and all cells."""


@dataclass(frozen=True)
class Simulation:
    """What to simulate: the same for the same values, byte for byte.

    members: how many. days: of orders, the last one before `calendar.END`. profile: a name of `PROFILES`.
    """

    members: int
    days: int
    seed: int
    profile: str

    def __post_init__(self) -> None:
        if self.members < 1:
            raise ConfigError("members", "must be at least 1")
        if not LEAST_DAYS <= self.days <= MOST_DAYS:
            raise ConfigError("days", f"must lie between {LEAST_DAYS} and {MOST_DAYS}")
        if self.seed < 0:
            raise ConfigError("seed", "must be at least 0")
        if self.profile not in PROFILES:
            raise ConfigError("profile", f"{self.profile!r} is none of {', '.join(PROFILES)}")


def simulate(simulation: Simulation, out: Path, progress: Progress, *, workers: int = 1, part: int = PART) -> None:
    """Write a shop's tables to the folder `out`, the truth to `out`/truth, and `recsys.toml` to ingest them with.

    Tables of members' doings come in files <table>-<n>.parquet of `part` cells each. All is written aside and appears
    in one step. workers: processes; part: with another one the same rows stand in other files.
    Raises `ConfigError` when `out` is there and not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("out", f"{out} is there already; name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        (aside / TRUTH).mkdir()
        profile = PROFILES[simulation.profile]
        world = make_world(profile, simulation.days, simulation.seed)
        for folder, tables in ((aside, world_tables(world)), (aside / TRUTH, world_truth(world))):
            for name, table in tables.items():
                pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        done, cells = 0, cells_of(simulation.members)
        progress(0, cells)
        for count in _parts(world, simulation.members, aside, workers, part):
            done += count
            progress(done, cells)
        (aside / "recsys.toml").write_text(settings(world), encoding="utf-8")
        if out.exists():
            out.rmdir()
        aside.chmod(0o755)
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def cells_of(members: int) -> int:
    """Return how many cells so many members are."""
    return -(-members // CELL)


def settings(world: World) -> str:
    """Return the text of the `recsys.toml` that reads a shop's files."""
    many = ("orders", "members", "events", "contacts", "redemptions")
    sections = "\n".join(f'[tables.{name}]\nfrom = "{name}-*.parquet"\n' for name in many)
    return (
        f"# simulated: profile {world.profile.name}, {world.days} days, seed {world.seed}\n"
        f'timezone = "{ZONE}"\norigin = "{ORIGIN}-{world.profile.name}-{world.seed}"\n'
        f"latest = {END.isoformat()}T00:00:00\n\n"
        f'[source]\nfolder = "."\n\n{sections}{_stages(world.profile)}'
    )


def _stages(profile: Profile) -> str:
    """Return the settings' life stages: what the shop says of them, in whole months from birth on."""
    after = {category.follows: category.name for category in profile.categories if category.follows is not None}
    sections = []
    for category in profile.categories:
        if category.stage is not None:
            first, last = (max(int(month), 0) for month in category.stage)
            lines = [
                "\n[[life_stages]]",
                f'category = "{category.name}"',
                f"from_month = {first}",
                f"to_month = {last}",
                f'next_category = "{after[category.name]}"' if category.name in after else "",
            ]
            sections.append("\n".join(line for line in lines if line) + "\n")
    return "".join(sections)


def _parts(world: World, members: int, folder: Path, workers: int, part: int) -> Iterator[int]:
    """Write all parts, yielding the cells of each as it is done."""
    starts = range(0, cells_of(members), part)
    if workers <= 1 or len(starts) == 1:
        for start in starts:
            yield _write_part(world, members, folder, start, part)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_write_part, world, members, folder, start, part) for start in starts]:
            yield done.result()


def _write_part(world: World, members: int, folder: Path, start: int, part: int) -> int:
    """Write the files of one part, a row group a cell; return how many cells it has."""
    stop = min(start + part, cells_of(members))
    with ExitStack() as stack:
        writers: dict[Path, pq.ParquetWriter] = {}
        for number in range(start, stop):
            cell = live(world, number, members)
            for place, tables in ((folder, cell_tables(world, cell)), (folder / TRUTH, cell_truth(world, cell))):
                _append(stack, writers, place, tables, start // part)
    return stop - start


def _append(stack: ExitStack, writers: dict[Path, pq.ParquetWriter], folder: Path, tables: Tables, number: int) -> None:
    for name, table in tables.items():
        file = folder / f"{name}-{number:04d}.parquet"
        if file not in writers:
            writers[file] = stack.enter_context(pq.ParquetWriter(file, table.schema, compression="zstd"))
        if len(table):
            writers[file].write_table(table, row_group_size=len(table))
