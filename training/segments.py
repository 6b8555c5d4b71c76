"""Members' tags and segments: computed for a publication, kept over time, and shown."""

import os
from collections.abc import Mapping

import pandas as pd

from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.classify import classify
from recsys.artifacts.tagging.delivery import send_alerts
from recsys.artifacts.tagging.derive import computed_tags
from recsys.artifacts.tagging.history import Entry, publication_before, record, timeline
from recsys.artifacts.tagging.movement import Movement
from recsys.artifacts.tagging.settings import Segments
from recsys.artifacts.tagging.spec import SegmentSpec
from recsys.artifacts.tagging.write import Tagged
from recsys.core.config import Home
from recsys.core.errors import MissingError, RequestError
from recsys.data.snapshot import Snapshot
from training.aligned import Rows, aligned
from training.screen import Screen

TAGGED_FROM = (
    "source_channel",
    "age_years",
    "child_age_months",
    "days_since_registration",
    "days_since_first_purchase",
    "days_since_purchase",
    "purchase_days",
    "weighted_gap",
)
"""The features that computed tags are drawn from."""


def asked_for(settings: Segments) -> frozenset[str]:
    """Return the tags, features among them, that the settings cut members by."""
    cuts = tuple(settings.segments.values())
    leaves = (leaf for cut in cuts for leaf in (*cut.among, *(one for value in cut.values for one in value.when)))
    texts = (cut.from_tag for cut in cuts if cut.from_tag is not None)
    return frozenset((*(leaf.tag for leaf in leaves), *texts, *(one.tag for cut in cuts for one in cut.cuts.values())))


def tagged(
    settings: Segments,
    snapshot: Snapshot,
    members: pd.DataFrame,
    flags: pd.DataFrame,
    earlier: Mapping[str, SegmentSpec],
) -> Tagged:
    """Compute what features and standings do not tell, and cut members into parts.

    members: member_id and features of the view member, of the same day: `TAGGED_FROM` and those of `asked_for`.
    flags: member_id, and of each of the same members one column of bool for each standing.
    earlier: segmentations of the publication before, whose cuts are held.
    """
    own = computed_tags(snapshot, members, settings)
    beside = (own.drop(columns=["member_id"]), flags.drop(columns=["member_id"]).reset_index(drop=True))
    every = pd.concat([members.reset_index(drop=True), *beside], axis=1)
    segments, specs = classify(settings, every, snapshot.as_of.number, earlier)
    return Tagged(own, segments, specs)


def keep(home: Home, screen: Screen, settings: Segments, publication: Publication, before: Publication | None) -> None:
    """Keep what the publication changed, tell of unusual moves, and send them to the webhook.

    before: the last publication of an earlier day. A webhook that does not take them does not stop a publication; they
    are sent again with the next one.
    """
    entry = record(home.tags, publication, before, settings.alerts)
    for alert in entry.alerts:
        screen.note(f"{alert.segment}: {alert.en}")
    if settings.webhook is None:
        return
    for sent in send_alerts(home.tags, timeline(home.tags, publication.name), settings.webhook, os.environ):
        became = "sent to the webhook" if sent.trouble is None else f"not sent to the webhook, which {sent.trouble}"
        screen.note(f"{sent.alerts} alerts of {sent.publication} {became}")


def keep_current(home: Home, screen: Screen, settings: Segments) -> None:
    """Keep what the current publication changed, where a run that ended early did not."""
    current = Publication.open_current(home.publications)
    keep(home, screen, settings, current, publication_before(home.publications, home.tags, current.as_of))


def run_segments(home: Home, screen: Screen, name: str) -> None:
    """Show sizes, moves since the publication before, and alerts; of one segmentation when it is named."""
    publication = Publication.open_current(home.publications)
    line = timeline(home.tags, publication.name)
    if not line:
        raise MissingError(f"a history of {publication.name}", "recsys publish")
    entry = line[-1]
    if name and name not in entry.specs:
        raise RequestError("segment", f"{name!r} is none of {', '.join(entry.specs)}")
    screen.say(f"as of {entry.as_of}: {entry.members} members, publication {entry.publication}")
    for segment, spec in entry.specs.items():
        if name in ("", segment):
            screen.say(f"\n{segment}: {spec.zh}, {spec.en}")
            _say(screen, _sizes(entry, spec))
            if segment in entry.movements:
                moved = entry.movements[segment]
                screen.say(f"from {moved.since} (rows) to {moved.until} (columns):")
                _say(screen, _moves(moved))
    found = [alert for alert in entry.alerts if name in ("", alert.segment)]
    screen.say("" if found else "\nno alerts")
    for alert in found:
        screen.say(f"alert: {alert.segment}: {alert.zh} / {alert.en}")


def _say(screen: Screen, rows: Rows) -> None:
    for line in aligned(rows):
        screen.say(f"  {line}")


def _sizes(entry: Entry, spec: SegmentSpec) -> Rows:
    moved = entry.movements.get(spec.name)
    before = dict(zip(moved.codes, map(sum, moved.counts), strict=True)) if moved is not None else {}
    rows: Rows = [("code", "members", "share", "before", "change", "zh", "en")]
    values = [(value.code, value.zh, value.en) for value in spec.values]
    for (code, zh, en), size in zip((*values, ("none", "无", "none")), entry.sizes[spec.name], strict=True):
        past = before.get(code)
        change = ("-", "-") if past is None else (str(past), f"{size - past:+d}")
        rows.append((code, str(size), f"{size / entry.members:.1%}" if entry.members else "-", *change, zh, en))
    return rows


def _moves(moved: Movement) -> Rows:
    """Tell who moved whence (rows) whither (columns); parts that nobody is or was of are left out."""
    everybody = list(enumerate(moved.codes))
    shown = [place for place, _ in everybody if any(moved.counts[place]) or any(row[place] for row in moved.counts)]
    rows: Rows = [("", *(moved.codes[place] for place in shown))]
    return rows + [(moved.codes[row], *(str(moved.counts[row][place]) for place in shown)) for row in shown]
