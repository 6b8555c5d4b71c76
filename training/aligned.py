"""Columns of text, as wide as they need to be: what a pipe takes whole and a terminal may break."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

Rows = list[tuple[str, ...]]


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return one line a row, its cells two spaces apart and numbers to the right; wide characters count as two."""
    table = [tuple(row) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _padded(cell: str, width: int) -> str:
    gap = " " * (width - cell_len(cell))
    return gap + cell if cell.lstrip("+-").replace(".", "", 1).removesuffix("%").isdigit() else cell + gap
