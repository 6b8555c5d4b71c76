"""The few pieces of HTML that reports are made of; every text is escaped here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root{--ink:#1f2328;--soft:#59636e;--line:#d9dee3;--tint:#f3f6fa;--good:#0a6b2d;--bad:#b00020}
*{box-sizing:border-box}
body{font:15px/1.55 system-ui,"Noto Sans CJK SC",sans-serif;max-width:1180px;margin:2rem auto 5rem;padding:0 1.2rem;
color:var(--ink)}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.6rem 0 .6rem;padding-top:.8rem;
border-top:1px solid var(--line)}
nav a{margin-right:1rem;color:#0b5cad;text-decoration:none;white-space:nowrap}
p.soft{color:var(--soft);margin:.2rem 0 .8rem}
.scroll{overflow-x:auto;margin:.4rem 0 1.2rem}table{border-collapse:collapse;font-size:.86rem;
font-variant-numeric:tabular-nums}
th,td{padding:.28rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:normal}th:first-child,td:first-child{text-align:left}td.text,th.text,th.wide{text-align:left}
td.wide{text-align:left;white-space:normal;min-width:22rem}td small{display:block;color:var(--soft);font-weight:400}
td.model{font-weight:600;background:var(--tint)}.beats{color:var(--good)}.worse{color:var(--bad)}
.facts{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.2rem 0}.facts div{background:var(--tint);border-radius:8px;
padding:.7rem 1.1rem;min-width:11rem}.facts b{display:block;font-size:1.25rem}
.facts span{color:var(--soft);font-size:.85rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.4rem;margin:.5rem 0}dt{color:var(--soft)}dd{margin:0}
dd ul{margin:0;padding-left:1.1rem}code{font-size:.85em;overflow-wrap:anywhere}
.pictures{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;flex:1 1 26rem;max-width:44rem}
img{max-width:100%;height:auto}
details summary{cursor:pointer;color:#0b5cad;margin:.4rem 0}
@media print{body{max-width:none;margin:0}details{display:block}}
"""
"""The look of a report."""
LEFT = ("text", "wide")
"""Kinds of cells that stand to the left, with their heads."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table. kind: a class of the page's style, or several; "" = none. note: a second, fainter line."""

    text: str
    kind: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A titled part of a page. body: HTML; "" = nothing to show."""

    title: str
    body: str

    @property
    def anchor(self) -> str:
        """What links to it name."""
        return self.title.lower().replace(" ", "-")

    @property
    def html(self) -> str:
        """The part as HTML."""
        return f'<section id="{self.anchor}"><h2>{escape(self.title)}</h2>{self.body}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write a table that scrolls sideways when it is wide."""
    rows = list(rows)
    kinds = [cell.kind if cell.kind in LEFT else "" for cell in rows[0]] if rows else [""] * len(head)
    names = (_head(name, kind) for name, kind in zip(head, kinds, strict=True))
    lines = [f"<tr>{''.join(names)}</tr>", *(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)]
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def fold(title: str, body: str) -> str:
    """Hide a part until it is asked for."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def as_list(texts: Iterable[str]) -> str:
    """Write texts as a list."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def _head(name: str, kind: str) -> str:
    """Head a column; long names in one word are parted, so that they can be broken, and stand whole in the title."""
    shown = name.replace("_", " ")
    kinds = f' class="{escape(kind)}"' if kind else ""
    title = f' title="{escape(name)}"' if shown != name else ""
    return f"<th{kinds}{title}>{escape(shown)}</th>"


def _cell(cell: Cell) -> str:
    kind = f' class="{escape(cell.kind)}"' if cell.kind else ""
    note = f"<small>{escape(cell.note)}</small>" if cell.note else ""
    return f"<td{kind}>{escape(cell.text)}{note}</td>"
