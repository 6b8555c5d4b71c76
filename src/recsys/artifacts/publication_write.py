from pathlib import Path

from recsys.artifacts.publication_content import Content


def write_publication(root: Path, content: Content, *, keep: int = 100) -> Path:
    """Seal a content as a new folder under `root`, make it the current one and return it.

    root: Home.publications.
    keep: a member's best recommendations (and as many best new products) that are kept.
    Raises `ArtifactError` naming the frame and column when the content is incomplete.
    """
    raise NotImplementedError
