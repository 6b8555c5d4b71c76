from collections.abc import Callable, Mapping
from pathlib import Path

from rich.table import Table

from recsys.core.errors import ConfigError, TableError
from recsys.data.ingest import IngestReport, check, ingest
from recsys.data.mapping import IngestConfig
from recsys.data.samples import complete_journey
from recsys.data.sources import Progress
from training.settings import Project
from training.workspace import Workspace

SAMPLES: Mapping[str, Callable[[], IngestConfig]] = {"complete-journey": complete_journey}


def run_ingest(workspace: Workspace, config: Path, sample: str) -> None:
    """Read, check and store the tables, and show what was kept and refused."""
    with workspace.screen.step("ingest") as advance:
        try:
            report = ingest(chosen(config, sample), workspace.home, shown(advance))
        except TableError as error:
            if error.fields["bad_rows"]:
                workspace.screen.note(f"more bad rows than max_bad_share allows; see {workspace.home.quarantine}")
            raise
    show(workspace, report)
    if any(table.bad for table in report.tables):
        workspace.screen.say(f"rejected rows, each with its rule: {workspace.home.quarantine}")
    word = "unchanged" if report.unchanged else "stored"
    workspace.screen.say(f"{word}: {workspace.tables.folder}, [{workspace.tables.first}, {workspace.tables.end})")


def run_validate(workspace: Workspace, config: Path, sample: str) -> None:
    """Read and check the tables, show what would be kept and refused, and raise what would stop an ingestion."""
    with workspace.screen.step("validate") as advance:
        report = check(chosen(config, sample), shown(advance))
    show(workspace, report)
    if report.failures:
        raise report.failures[0]


def chosen(config: Path, sample: str) -> IngestConfig:
    """Return the mapping of a sample, or the one in the file."""
    if not sample:
        return IngestConfig.load(config, others=Project.model_fields)
    if sample not in SAMPLES:
        raise ConfigError("sample", f"{sample!r} is none of {', '.join(SAMPLES)}")
    return SAMPLES[sample]()


def shown(advance: Callable[[str], None]) -> Progress:
    """Show each step once, as it starts."""
    last = ""

    def progress(step: str, _done: int, _total: int) -> None:
        nonlocal last
        if step != last:
            last = step
            advance(step)

    return progress


def show(workspace: Workspace, report: IngestReport) -> None:
    """Print a line for each table and one for each rule that rows broke."""
    table = Table("table", "read", "kept", "skipped", "rejected", "why")
    for found in report.tables:
        why = "; ".join(f"{count} {rule}" for rule, count in found.rejected.items())
        table.add_row(found.table, str(found.read), str(found.kept), str(found.skipped), str(found.bad), why)
    workspace.screen.show(table)
