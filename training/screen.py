import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Advance = Callable[[str], None]


class Screen:
    """What the command shows: a bar for each long step while it runs, and one line with its time when it ends."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line of answer to standard output."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Write one line about the work to standard error."""
        self.console.print(text, highlight=False, markup=False)

    def show(self, table: Table) -> None:
        """Write a table to standard output."""
        Console(soft_wrap=True).print(table)

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar of `total` parts while the block runs; call what it yields with a part's name as it starts."""
        started = time.perf_counter()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            bar = progress.add_task(title, total=total)
            begun = 0

            def advance(part: str) -> None:
                nonlocal begun
                progress.update(bar, description=f"{title}: {part}", completed=begun)
                begun += 1

            yield advance
        self.note(f"{title}: {time.perf_counter() - started:.1f} s")
