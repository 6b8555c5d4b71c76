"""The live preview of an audience: how many, what to expect, where the threshold cuts, and the first members."""

import asyncio
from collections.abc import Callable, Mapping

from nicegui import ui

from console import charts
from console.api import ApiError, Record, part
from console.pages.alike_preview import show_alike
from console.parts import box, chart, chip, facts, table, text, tile
from console.shell import bones, empty, panel, trouble
from console.site import Visit
from console.words import UNKNOWN, Words, count, number, percent

REST = 0.4
"""Seconds that nothing must change before the service is asked."""
SAMPLE = 10


class Preview:
    """Asks the service again when what it shows has changed.

    tags: by name, for words. spec: gives what is asked by, without threshold; None = it is not whole yet. blame: shows
    an error at the field that it speaks of, and says whether there is one; forgive: takes that away.
    """

    def __init__(
        self,
        visit: Visit,
        tags: Mapping[str, Record],
        spec: Callable[[], Record | None],
        blame: Callable[[str, str], bool],
        forgive: Callable[[], None],
    ) -> None:
        self.threshold: float | None = None
        self._visit, self._words, self._tags = visit, visit.words, tags
        self._spec, self._blame, self._forgive = spec, blame, forgive
        self._asked = 0
        self._bounds: tuple[float, float] | None = None
        with panel(self._words("preview.title"), test="preview"):
            self._place, self._cut, self._rest = box("stack"), box("across row"), box("stack")
            self._clock = box("unseen")  # what asks lives apart from what is cleared while it asks
            with self._place:
                empty(self._words("preview.first"), "groups")

    def again(self) -> None:
        """Ask anew, with every score taken in, as other members are asked for."""
        self.threshold, self._bounds = None, None
        self._cut.clear()
        self._later()

    def asked(self) -> Record | None:
        """Return what is asked by, with the threshold."""
        spec = self._spec()
        if spec is None or self.threshold is None:
            return spec
        return spec | {"threshold": self.threshold}

    def _later(self) -> None:
        self._asked += 1
        number_of_this = self._asked
        self._clock.clear()
        with self._clock:
            ui.timer(REST, lambda: self._ask(number_of_this), once=True)

    async def _ask(self, number_of_this: int) -> None:
        spec = self.asked()
        if number_of_this != self._asked:
            return
        if spec is None:
            self._say(lambda: empty(self._words("preview.first"), "groups"))
            return
        waiting = asyncio.get_running_loop().call_later(REST, self._say, bones)
        try:
            told, show = await self._told(spec)
        except ApiError as error:
            self._failed(error, number_of_this)
            return
        finally:
            waiting.cancel()
        if number_of_this == self._asked:
            self._forgive()
            self._say(lambda: show(told))

    async def _told(self, spec: Record) -> tuple[Record, Callable[[Record], None]]:
        api = self._visit.api
        if "lookalike" in spec:
            asked = {**spec["lookalike"], "shown": SAMPLE}
            return await api.post("/audiences/lookalike", asked), lambda told: show_alike(self._words, told, self._tags)
        return await api.post("/audiences/preview", spec | {"sample": SAMPLE}), self._show

    def _failed(self, error: ApiError, number_of_this: int) -> None:
        if number_of_this != self._asked:
            return
        self._forgive()
        field, rule = getattr(error, "field", None), getattr(error, "rule", "")
        if field and self._blame(field, rule):
            self._say(lambda: empty(self._words("preview.mend"), "edit_note"))
        else:
            self._say(lambda: trouble(self._visit, error, lambda: self._ask(number_of_this)))

    def _say(self, draw: Callable[[], None]) -> None:
        """Draw in the place of everything but the slider, which keeps the focus while it is moved."""
        for place in (self._place, self._rest):
            place.clear()
        with self._place:
            draw()

    def _show(self, told: Record) -> None:
        words = self._words
        with box("grid"):
            tile(
                words("preview.count"),
                count(told["count"]),
                words("preview.of", percent(told["share"]), count(told["members"])),
                test="preview-count",
                width="w6",
            )
            tile(*_expected(words, told), about=words("preview.expected_about"), test="preview-expected", width="w6")
        if told["rule_zh"]:
            text("div", words.pick(told["rule_zh"], told["rule_en"]), "small").props('data-test="rule-words"')
        bins = told["histogram"]
        if bins:
            chart(
                charts.histogram(bins, words("preview.members"), self.threshold, words("preview.threshold")),
                words("preview.histogram_about"),
                "low",
                test="histogram",
            )
        self._slider((bins[0]["low"], bins[-1]["high"]) if bins else None)
        with self._rest:
            if bins:
                scored = words("preview.scored", words.name("score", told["task"]), count(told["scored"]))
                text("div", scored, "muted small")
            for one in told["overlaps"]:
                with box("across"):
                    chip(words("preview.overlap"), "warn", "join_inner")
                    share = percent(one["share"])
                    text("span", words("preview.overlap_told", one["audience"], count(one["count"]), share), "small")
            _sample(words, told)

    def _slider(self, bounds: tuple[float, float] | None) -> None:
        """Draw the slider of the threshold, unless it is there already."""
        if bounds == self._bounds:
            return
        self._bounds = bounds
        self._cut.clear()
        if bounds is None or bounds[0] >= bounds[1]:
            return
        low, high = bounds
        value = low if self.threshold is None else min(max(self.threshold, low), high)
        with self._cut:
            text("span", self._words("preview.threshold"), "muted small beside-slider")
            slider = ui.slider(min=low, max=high, step=(high - low) / 100, value=value)
            slider.classes("fill").props(f'data-test="threshold" aria-label="{self._words("preview.threshold")}"')
            chosen = text("span", number(value), "num small beside-slider")

        def move() -> None:
            at = float(slider.value)
            chosen.set_text(number(at))
            self.threshold = None if at <= low else at
            self._later()

        slider.on_value_change(move)


def _expected(words: Words, told: Record) -> tuple[str, str, str]:
    if told["expected"] is None:
        return words("preview.expected"), UNKNOWN, ""
    digits = 1 if told["expected"] < 100 else 0
    if told["expected_low"] is None:
        more = words("preview.within", told["within_days"]) if told["within_days"] else ""
        return words("preview.expected"), number(told["expected"], digits), more
    low, high = number(told["expected_low"], digits), number(told["expected_high"], digits)
    return (
        words("preview.expected"),
        number(told["expected"], digits),
        words("preview.interval", low, high, told["within_days"]),
    )


def _sample(words: Words, told: Record) -> None:
    """List the first members, with why each is among them where that says more than the rule."""
    sample = told["sample"]
    if not sample:
        empty(words("preview.nobody"), "person_off")
        return

    def member(one: Record) -> Callable[[], ui.link]:
        return lambda: ui.link(one["member_id"], f"/members/{part(one['member_id'])}", new_tab=True)

    def offer(one: Record) -> str:
        return words.pick(one["offer"]["reason_zh"], one["offer"]["reason_en"]) if one["offer"] else ""

    rule = words.pick(told["rule_zh"] or "", told["rule_en"] or "")
    own = any(offer(one) not in ("", rule) for one in sample)
    rows = [(member(one), number(one["score"], 3), *([offer(one)] if own else ())) for one in sample]
    heads = [words("preview.member"), words("preview.score"), *([words("preview.why")] if own else ())]
    table(heads, rows, right=(1,), test="sample")


def counted(words: Words, told: Record) -> None:
    """List what became of the members who were picked."""
    rows = (
        (words("audience.picked"), count(told["picked"])),
        (words("audience.opted_out"), count(told["opted_out"])),
        (words("audience.contacted_often"), count(told["contacted_often"])),
        (words("audience.in_package"), count(told["members"])),
        (words("audience.treated"), count(told["treated"])),
        (words("audience.held_out"), count(told["held_out"])),
        (words("audience.expected"), number(told["expected"], 1)),
    )
    facts(rows)
