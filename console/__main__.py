"""`python -m console`: serve the console, and say who may log in. `recsys console` leads here."""

import getpass
import os
import sys
from typing import Annotated

import typer

from console.people import People, PersonError
from console.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
NAME = Annotated[str, typer.Argument(help="The name to log in with.")]


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The port to answer at.")] = 8080,
    host: Annotated[str, typer.Option(help="The address to answer at.")] = "127.0.0.1",
) -> None:
    """Serve the console of the service at RECSYS_API_URL."""
    settings = Settings.read(host, port)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["NICEGUI_STORAGE_PATH"] = str(settings.folder / "sessions")  # read when NiceGUI is imported
    from console.app import run

    run(settings)


@app.command()
def add(name: NAME) -> None:
    """Let a person log in, or give one another password and key; asks for both, or reads two lines."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        key = getpass.getpass("Key of the service (`recsys keys create`); empty when it has none: ")
    else:
        password, key = sys.stdin.readline().rstrip("\n"), sys.stdin.readline().strip()
    _people().put(name, password, key)


@app.command()
def remove(name: NAME) -> None:
    """Let a person log in no more."""
    _people().remove(name)


@app.command("list")
def names() -> None:
    """List who may log in."""
    for name in _people().names():
        typer.echo(name)


def _people() -> People:
    return People(Settings.read("", 0).folder / "people.json")


if __name__ == "__main__":
    try:
        app()
    except PersonError as error:
        sys.exit(f"PersonError: {error}")
