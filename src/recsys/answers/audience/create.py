"""Makes an audience that was asked for, or the next version of one that is there."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from recsys.answers.audience.alike import Alike, parse_alike
from recsys.answers.audience.describe import describe
from recsys.answers.audience.export import find_version
from recsys.answers.audience.lookalike import PLAN, lookalike
from recsys.answers.audience.make import Asked, Owner, Shelf, Terms, make_version
from recsys.answers.audience.offers import offers
from recsys.answers.audience.package import Members
from recsys.answers.audience.pick import Picked, pick, plan
from recsys.answers.audience.rule import to_data
from recsys.answers.audience.scores import Scores
from recsys.answers.audience.spec import Spec, parse_spec
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError
from recsys.store.audiences import AudienceVersion, owner_of_name
from recsys.store.audit import Who

MAX_NAME = 80


@dataclass(frozen=True)
class Order:
    """What shall be made: a new audience of a name, or the next version of an audience.

    wanted: whom it shall have; None = whom the audience's newest version asked for; a new audience needs it.
    terms: what shall differ from the terms of the newest version, or from the usual ones, by the names of `Terms`.
    """

    name: str | None = None
    audience_id: str | None = None
    wanted: Spec | Alike | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)


def create(shelf: Shelf, publication: Publication, order: Order, *, who: Who, now: datetime) -> AudienceVersion:
    """Make what was ordered; the version is listed when this returns, and whole.

    `RequestError` and `UnknownError` name the part of the order that is wrong.
    """
    owner, wanted, terms = _settled(shelf, order)
    if isinstance(wanted, Alike):
        members, lineage, adds = _alike(publication, wanted)
    else:
        members, lineage, adds = _picked(publication, wanted)
    asked = Asked(wanted.to_data(), terms, lineage, adds=adds)
    return make_version(shelf, publication, owner, members, asked, who=who, now=now)


def parse_wanted(data: Mapping[str, Any]) -> Spec | Alike:
    """Read whom an audience shall have: a rule, a template, or a list to be alike to."""
    if "lookalike" not in data:
        return parse_spec(data)
    for name in data:
        if name != "lookalike":
            raise RequestError(name, "does not come with lookalike")
    return parse_alike(data["lookalike"])


def _picked(publication: Publication, spec: Spec) -> tuple[Members, dict[str, Any], bool]:
    planned = plan(publication, spec)
    by = Scores(publication).of(planned.by, "by")
    picked = pick(publication, planned)
    words = describe(planned.rule, publication)
    lineage = {
        "rule": to_data(planned.rule),
        "rule_zh": words.zh,
        "rule_en": words.en,
        "task": by.task,
        "score_name": by.name,
        "model_version": publication.model_versions.get(by.task),
    }
    return Members(picked.rows, picked.score, offers(publication, planned, picked)), lineage, by.is_probability


def _alike(publication: Publication, alike: Alike) -> tuple[Members, dict[str, Any], bool]:
    found = lookalike(publication, alike.members, size=alike.size, with_seeds=alike.with_seeds)
    lineage = {
        "rule": None,
        "rule_zh": f"与名单中{found.seeds}位会员相似的会员",
        "rule_en": f"members like the {found.seeds} of a list",
        "seeds": found.seeds,
        "unknown": found.unknown,
        "auc": found.auc,
    }
    columns = offers(publication, PLAN, Picked(found.rows, found.score))
    return Members(found.rows, found.score, columns), lineage, False


def _settled(shelf: Shelf, order: Order) -> tuple[Owner, Spec | Alike, Terms]:
    if (order.name is None) == (order.audience_id is None):
        raise RequestError("name", "or audience_id is needed, and not both")
    if order.audience_id is not None:
        last = find_version(shelf.engine, order.audience_id, None).draft
        owner = Owner(last.audience_id, last.name, new=False)
        return owner, order.wanted or parse_wanted(last.asked["spec"]), replace(Terms.of(last.asked), **order.terms)
    if order.wanted is None:
        raise RequestError("rule", "or a template, or a list to be alike to, is needed")
    owner = Owner(secrets.token_hex(6), _free(shelf, (order.name or "").strip()), new=True)
    return owner, order.wanted, Terms(**order.terms)


def _free(shelf: Shelf, name: str) -> str:
    """Hold a name to its rules before anything is made; whether it is free is decided when the audience is listed."""
    if not name or len(name) > MAX_NAME:
        raise RequestError("name", f"must have 1 to {MAX_NAME} characters")
    owner = owner_of_name(shelf.engine, name)
    if owner is not None:
        raise RequestError("name", f"{name!r} is the name of audience {owner}; give audience_id for its next version")
    return name
