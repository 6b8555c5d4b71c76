"""The words of `recsys keys`."""

from typing import Annotated

import typer

from recsys.core.config import Home
from training.screen import Screen

keys = typer.Typer(no_args_is_help=True, help="Keys that callers of the service show.")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose it is, in your words.")],
    role: Annotated[str, typer.Option(help="mall, ops or admin; each may do what those before it may.")] = "mall",
    rate: Annotated[
        float | None, typer.Option(help="Requests a second that one worker lets through; default: no limit.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="So many days it lasts; default: until it is revoked.")] = None,
) -> None:
    """Make a key; it is shown once, and only its digest is kept."""
    from training.keys import run_create

    run_create(Home.default(), Screen(), name, role, rate, days)


@keys.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    from training.keys import run_list

    run_list(Home.default(), Screen())


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id, as `recsys keys list` shows it.")]) -> None:
    """Revoke a key, for good; running services refuse it within two seconds."""
    from training.keys import run_revoke

    run_revoke(Home.default(), Screen(), key)
