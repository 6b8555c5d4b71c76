"""Makes an audience that was asked for by a rule or a template, or the next version of one that is there."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from recsys.answers.audience.describe import describe
from recsys.answers.audience.export import find_version
from recsys.answers.audience.make import Asked, Owner, Shelf, Terms, make_version
from recsys.answers.audience.offers import offers
from recsys.answers.audience.package import Members
from recsys.answers.audience.pick import pick, plan
from recsys.answers.audience.rule import to_data
from recsys.answers.audience.scores import scored
from recsys.answers.audience.spec import Spec, parse_spec
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError
from recsys.store.audiences import AudienceVersion, owner_of_name
from recsys.store.audit import Who

MAX_NAME = 80


@dataclass(frozen=True)
class Order:
    """What shall be made: a new audience of a name, or the next version of an audience.

    spec, terms: None = those of the audience's newest version; a new audience needs a spec, and has default terms.
    """

    name: str | None = None
    audience_id: str | None = None
    spec: Spec | None = None
    terms: Terms | None = None


def create(shelf: Shelf, publication: Publication, order: Order, *, who: Who, now: datetime) -> AudienceVersion:
    """Make what was ordered; the version is listed when this returns, and whole.

    `RequestError` and `UnknownError` name the part of the order that is wrong.
    """
    owner, spec, terms = _settled(shelf, order)
    planned = plan(publication, spec)
    by = scored(publication, planned.by, "by")
    picked = pick(publication, planned)
    members = Members(picked.rows, picked.score, offers(publication, planned, picked))
    words = describe(planned.rule, publication)
    told = {
        "rule": to_data(planned.rule),
        "rule_zh": words.zh,
        "rule_en": words.en,
        "task": planned.by.task,
        "score_name": by.name,
        "model_version": publication.model_versions.get(by.task),
    }
    asked = Asked(spec.to_data(), terms, told, adds=by.is_probability)
    return make_version(shelf, publication, owner, members, asked, who=who, now=now)


def _settled(shelf: Shelf, order: Order) -> tuple[Owner, Spec, Terms]:
    if (order.name is None) == (order.audience_id is None):
        raise RequestError("name", "or audience_id is needed, and not both")
    if order.audience_id is not None:
        last = find_version(shelf.engine, order.audience_id, None).draft
        spec = order.spec or parse_spec(last.asked["spec"])
        return Owner(last.audience_id, last.name, new=False), spec, order.terms or Terms.of(last.asked)
    if order.spec is None:
        raise RequestError("rule", "or a template is needed")
    return (
        Owner(secrets.token_hex(6), _free(shelf, (order.name or "").strip()), new=True),
        order.spec,
        order.terms or Terms(),
    )


def _free(shelf: Shelf, name: str) -> str:
    """Hold a name to its rules before anything is made; whether it is free is decided when the audience is listed."""
    if not name or len(name) > MAX_NAME:
        raise RequestError("name", f"must have 1 to {MAX_NAME} characters")
    owner = owner_of_name(shelf.engine, name)
    if owner is not None:
        raise RequestError("name", f"{name!r} is the name of audience {owner}; give audience_id for its next version")
    return name
