"""Published crowds, kept from run to run: one of a million takes minutes to make and 8 GB."""

from pathlib import Path

from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError, MissingError
from tests.crowd import crowd

KEPT = Path(__file__).parents[2] / ".benchmarks"


def published_crowd(members: int) -> Publication:
    """Open the crowd of so many members, made anew when there is none or it is of another format."""
    root = KEPT / f"crowd_{members}"
    try:
        return Publication.open_current(root)
    except (ArtifactError, MissingError):
        write_publication(root, crowd(members))
        return Publication.open_current(root)
