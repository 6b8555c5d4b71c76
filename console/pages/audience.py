"""One audience: its versions, what became of the members, where it comes from, and its export."""

from nicegui import app, ui
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from console.api import Record, part
from console.pages.audience_members import AudienceMembers
from console.pages.audience_preview import counted
from console.pages.audiences import standing
from console.parts import Cell, box, facts, table, text
from console.shell import complain, empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.transfers import Transfer
from console.words import UNKNOWN, count, number, percent

FORMATS = ("csv", "parquet", "jsonl")
ARMS = ("treated", "held_out", "all")
TELL_SECONDS = 0.3


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/audiences/{audience_id}")
    async def audience(audience_id: str) -> RedirectResponse | None:
        path = f"/audiences/{part(audience_id)}"
        visit = site.enter(path)
        if visit is None:
            return to_login(path)
        with shell(visit, "audiences"):
            content = box("stack", "audience")
            soon(lambda: fill(visit, content, lambda: visit.api.get(path), lambda told: _show(visit, told)))
        return None

    @app.get("/download/{token}")
    async def download(token: str) -> Response:
        visit = site.enter("/audiences")
        transfer = site.transfers.take(token, visit.person.name) if visit else None
        return PlainTextResponse("", 404) if transfer is None else await transfer.response()


def _show(visit: Visit, told: Record) -> None:
    words, newest = visit.words, told["versions"][0]
    with box("title-row"):
        ui.link(words("pages.audiences"), "/audiences")
        text("h1", told["name"]).props('data-test="audience-title"')
        standing(visit, newest["status"])
        box("grow")
        again = ui.button(
            words("audience.new_version"),
            icon="content_copy",
            on_click=lambda: ui.navigate.to(f"/audiences/new?of={part(told['audience_id'])}"),
        )
        again.props('outline no-caps data-test="new-version"')
        export = ui.button(words("audience.export"), icon="download", on_click=lambda: Export(visit, told).open())
        export.props('unelevated no-caps data-test="export"')
    with box("grid free"):
        with box("stack w4"):
            with panel(words("audience.counts"), test="counts"):
                counted(words, newest["counts"])
            with panel(words("audience.strata"), test="strata"):
                _strata(visit, newest["counts"])
        with box("stack w8"):
            with panel(words("audience.lineage"), test="lineage"):
                _lineage(visit, newest)
            with panel(words("audience.versions"), test="versions"):
                _versions(visit, told["versions"])
    AudienceMembers(visit, told["audience_id"])


def _lineage(visit: Visit, version: Record) -> None:
    words, lineage, asked = visit.words, version["lineage"], version["asked"]
    pressure, by = asked["pressure"], words.name("person", version["created_by"])
    facts(
        (
            (words("audience.rule"), words.pick(lineage["rule_zh"], lineage["rule_en"])),
            (words("overview.publication"), lineage["publication"]),
            (words("audience.model"), f"{words.name('task', lineage['task'])} {lineage['model_version'] or UNKNOWN}"),
            (words("audience.created_by"), f"{by}, {words.moment(version['created_at'])}"),
            (words("audience.live_until"), words.moment(version["live_until"])),
            (words("audience.hold_out"), percent(asked["hold_out"])),
            (
                words("audience.pressure"),
                words("audience.pressure_told", pressure["most"], pressure["days"])
                if pressure
                else words("policy.none"),
            ),
            (words("audience.digest"), version["digest"][:16]),
        )
    )


def _strata(visit: Visit, counts: Record) -> None:
    words = visit.words
    if not counts["strata"]:
        empty(words("audience.no_strata"), "layers")
        return
    rows = [
        (
            words("audience.unscored") if one["tenth"] is None else str(one["tenth"]),
            count(one["members"]),
            count(one["held_out"]),
            percent(one["held_out"] / one["members"] if one["members"] else 0.0),
        )
        for one in counts["strata"]
    ]
    heads = [words(f"audience.{name}") for name in ("tenth", "size", "held_out", "share")]
    table(heads, rows, right=(1, 2, 3))


def _versions(visit: Visit, versions: list[Record]) -> None:
    words = visit.words

    def row(one: Record) -> tuple[Cell, ...]:
        return (
            str(one["version"]),
            lambda: standing(visit, one["status"]),
            words.moment(one["created_at"]),
            words.name("person", one["created_by"]),
            one["lineage"]["publication"],
            count(one["counts"]["members"]),
            number(one["counts"]["expected"], 1),
        )

    heads = ("version", "status", "created_at", "created_by", "publication", "in_package", "expected")
    table(
        [words(f"audience.{head}") for head in heads],
        map(row, versions),
        right=(5, 6),
        keep=(2,),
        test="version-lines",
    )


class Export:
    """The dialog of an export: what shall be taken away, how large it will be, and how far it is."""

    def __init__(self, visit: Visit, told: Record) -> None:
        self._visit, self._words, self._told = visit, visit.words, told
        self._sizes = told["versions"][0]["sizes"]

    def open(self) -> None:
        """Show it."""
        words = self._words
        with ui.dialog() as self._dialog, box("panel", "export-dialog"):
            text("h2", words("audience.export_title", self._told["name"]))
            self._kind = ui.toggle({one: words(f"audience.{one}") for one in FORMATS}, value="csv")
            self._arm = ui.toggle({one: words(f"audience.{one}") for one in ARMS}, value="treated")
            for choice in (self._kind, self._arm):
                choice.props("dense no-caps unelevated").on_value_change(self._tell_size)
            self._size = text("div", "", "muted small").props('data-test="export-size"')
            self._bar = ui.linear_progress(value=0, show_value=False, size="8px").props(
                'rounded data-test="export-bar"'
            )
            self._bar.set_visibility(False)
            self._far = text("div", "", "small").props('aria-live="polite" data-test="export-far"')
            with box("across"):
                box("grow")
                ui.button(words("shell.cancel"), on_click=self._dialog.close).props("flat no-caps")
                self._go = ui.button(words("audience.export"), icon="download", on_click=self._run)
                self._go.props('unelevated no-caps data-test="export-go"')
        self._tell_size()
        self._dialog.open()

    def _expected(self) -> int:
        return int(self._sizes.get(self._kind.value, {}).get(self._arm.value, 0))

    def _tell_size(self) -> None:
        self._size.set_text(self._words("audience.expected_size", _size(self._expected())))

    def _run(self) -> None:
        """Let the browser fetch the file, and follow how far it is."""
        kind, arm = str(self._kind.value), str(self._arm.value)
        name = f"{self._told['audience_id']}-v{self._told['versions'][0]['version']}-{arm}.{kind}"
        path = f"/audiences/{part(self._told['audience_id'])}/export"
        visit = self._visit
        transfer = Transfer(visit.api, visit.person.name, path, {"format": kind, "arm": arm}, name)
        self._go.props("loading")
        self._bar.set_visibility(True)
        ui.download.from_url(f"/download/{visit.site.transfers.offer(transfer)}", name)
        with self._dialog:
            timer = ui.timer(TELL_SECONDS, lambda: self._tell(transfer, timer))

    def _tell(self, transfer: Transfer, timer: ui.timer) -> None:
        words = self._words
        if transfer.error is None and not transfer.ended:
            self._bar.set_value(min(transfer.size / max(self._expected(), 1), 1.0))
            self._far.set_text(words("audience.so_far", _size(transfer.size)))
            return
        timer.cancel()
        self._go.props(remove="loading")
        if transfer.error is not None:
            complain(self._visit, transfer.error)
            self._far.set_text(words("audience.broken_off"))
            return
        self._bar.set_value(1.0)
        self._far.set_text(words("audience.exported", _size(transfer.size)))


def _size(size: int) -> str:
    if size < 1_000_000:
        return f"{size / 1000:,.1f} kB"
    return f"{size / 1_000_000:,.1f} MB"
