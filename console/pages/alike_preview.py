"""What members like those of a list would be, and how well the list can be told apart."""

from collections.abc import Mapping

from nicegui import ui

from console.api import Record, part
from console.parts import box, table, text, tile
from console.shell import empty
from console.words import Words, count, number

TRAITS = 8


def show_alike(words: Words, told: Record, tags: Mapping[str, Record]) -> None:
    """Draw it. tags: by the names of features."""
    with box("grid"):
        tile(
            words("alike.count"),
            count(told["count"]),
            words("alike.of_seeds", count(told["seeds"]), count(told["unknown"])),
            test="preview-count",
            width="w6",
        )
        tile(
            words("alike.auc"),
            number(told["auc"]),
            words("alike.interval", number(told["auc_low"]), number(told["auc_high"])),
            about=words("alike.auc_about"),
            width="w6",
        )
    if not told["members"]:
        empty(words("preview.nobody"), "person_off")
        return
    text("h3", words("alike.traits"))
    named = [one for one in told["traits"] if one["name"] in tags]
    traits = [
        (words.told(tags[one["name"]]) if named else one["name"], f"{one['weight']:+.2f}")
        for one in (named or told["traits"])[:TRAITS]
    ]
    table([words("alike.trait"), words("alike.weight")], traits, right=(1,))
    rows = [(lambda one=one: _member(one), number(one["score"], 3)) for one in told["members"]]
    table([words("preview.member"), words("preview.score")], rows, right=(1,), test="sample")


def _member(one: Record) -> None:
    ui.link(one["member_id"], f"/members/{part(one['member_id'])}", new_tab=True)
