"""The words of `recsys audience`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.core.config import Home
from training.screen import Screen
from training.user import user

if TYPE_CHECKING:
    from training.audience import Desk

audience = typer.Typer(no_args_is_help=True, help="Members picked by a rule, frozen as packages to take away.")

AudienceId = Annotated[str, typer.Argument(help="The audience's id, as `recsys audience list` shows it.")]
Rule = Annotated[str, typer.Option("--rule", help="A rule as JSON, or a file that holds it.")]
By = Annotated[str, typer.Option("--by", help="The score that orders a rule's members, as JSON.")]
Template = Annotated[str, typer.Option("--template", help="A scenario, in the place of a rule.")]
Answers = Annotated[list[str] | None, typer.Option("--answer", help="question=value, to the template; repeatable.")]
Threshold = Annotated[float | None, typer.Option("--threshold", help="The lowest score.")]
Top = Annotated[int | None, typer.Option("--top", min=1, help="So many members, highest scores first.")]


@audience.command("new")
def new(  # noqa: PLR0913, PLR0917
    name: Annotated[str, typer.Argument(help="The name of a new audience; leave it out with --of.")] = "",
    of: Annotated[str, typer.Option("--of", help="Make the next version of this audience instead.")] = "",
    rule: Rule = "",
    by: By = "",
    template: Template = "",
    answer: Answers = None,
    threshold: Threshold = None,
    top: Top = None,
    seeds: Annotated[str, typer.Option("--seeds", help="A file with a member id a line, to be alike to.")] = "",
    size: Annotated[int, typer.Option("--size", min=1, help="So many members alike to the seeds.")] = 1000,
    hold_out: Annotated[float | None, typer.Option(help="Share that is left alone; usually 0.1.")] = None,
    pressure: Annotated[
        str, typer.Option(help="DAYS:MOST, leave out who was contacted so often; usually 14:2; none = nobody.")
    ] = "",
    live_days: Annotated[int | None, typer.Option(help="So many days it counts as a contact; usually 14.")] = None,
) -> None:
    """Freeze an audience, or its next version, as a package; its id is told."""
    from training.audience import Words, run_new

    words = Words(rule, by, template, tuple(answer or ()), threshold, top, seeds, size)
    run_new(_desk(), name, of, words, _terms(hold_out, pressure, live_days))


@audience.command("list")
def show_all() -> None:
    """List all audiences."""
    from training.audience import run_list

    run_list(_desk())


@audience.command("show")
def show(audience_id: AudienceId) -> None:
    """Show an audience with its versions, counts and where they come from, as JSON."""
    from training.audience import run_view

    run_view(_desk(), audience_id)


@audience.command("preview")
def preview(
    rule: Rule = "",
    by: By = "",
    template: Template = "",
    answer: Answers = None,
    threshold: Threshold = None,
    top: Top = None,
    sample: Annotated[int, typer.Option(min=0, max=100, help="So many members are listed.")] = 10,
) -> None:
    """Tell how large an audience would be, what to expect of it and who is in it, as JSON."""
    from training.audience import Words, run_preview

    run_preview(_desk(), Words(rule, by, template, tuple(answer or ()), threshold, top), sample)


@audience.command("export")
def export(
    audience_id: AudienceId,
    kind: Annotated[str, typer.Option("--format", help="csv, parquet or jsonl.")] = "csv",
    arm: Annotated[str, typer.Option(help="treated (to be reached), held_out or all.")] = "treated",
    version: Annotated[int | None, typer.Option(min=1, help="Of the audience; usually its newest.")] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write; usually named after the audience.")] = None,
    callback: Annotated[str, typer.Option(help="Send it to this receiver of callbacks.toml instead.")] = "",
) -> None:
    """Write a package to a file, or send it, signed, to a receiver."""
    from training.audience import run_export, run_send, wanted

    if callback:
        run_send(_desk(), audience_id, version, wanted(kind, arm, callback))
    else:
        run_export(_desk(), audience_id, version, wanted(kind, arm, "file"), to)


@audience.command("end")
def end(audience_id: AudienceId) -> None:
    """End an audience: it counts as no contact any more and has no next version."""
    from training.audience import run_end

    run_end(_desk(), audience_id)


@audience.command("audit")
def audit(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many lines, the newest first.")] = 50,
    of: Annotated[str, typer.Option("--of", help="Only lines about this audience.")] = "",
) -> None:
    """Show who saw and took what."""
    from recsys.answers.audience.listing import AuditAsk
    from training.audience import run_audit

    run_audit(_desk(), AuditAsk(limit, subject=of or None))


def _desk() -> "Desk":
    from training.audience import Desk

    return Desk(Home.default(), Screen(), user())


def _terms(hold_out: float | None, pressure: str, live_days: int | None) -> dict[str, Any]:
    """Return the terms that were given, by the names of `Terms`."""
    from recsys.answers.audience.pressure import Pressure
    from recsys.core.errors import RequestError

    terms: dict[str, Any] = {"hold_out": hold_out, "live_days": live_days}
    given = {name: value for name, value in terms.items() if value is not None}
    if not pressure:
        return given
    days, _, most = pressure.partition(":")
    if pressure != "none" and not (days.isdecimal() and most.isdecimal()):
        raise RequestError("pressure", "is neither DAYS:MOST nor none")
    return {**given, "pressure": None if pressure == "none" else Pressure(int(days), int(most))}
