from pathlib import Path


class RecsysError(Exception):
    """Base of every error raised on purpose.

    `fields` carries what went wrong as data; only the doors (the HTTP service, the command) turn it into words,
    statuses and exit codes.
    """

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(", ".join(f"{name}={value!r}" for name, value in fields.items()))


class ConfigError(RecsysError):
    """A setting is missing, unknown or wrong: `setting` names it."""

    def __init__(self, setting: str, rule: str) -> None:
        super().__init__(setting=setting, rule=rule)


class TableError(RecsysError):
    """A retailer's table breaks a rule in more rows than allowed, or as a whole (`bad_rows` 0)."""

    def __init__(self, table: str, rule: str, bad_rows: int = 0) -> None:
        super().__init__(table=table, rule=rule, bad_rows=bad_rows)


class MissingError(RecsysError):
    """Something that an earlier step makes is not there: `what` names it and `step` the command that makes it."""

    def __init__(self, what: str, step: str) -> None:
        super().__init__(what=what, step=step)


class ArtifactError(RecsysError):
    """A stored folder is incomplete, altered or of another format, and was not loaded."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path=str(path), reason=reason)


class RequestError(RecsysError):
    """A request asks for what cannot be answered: `field` names the part to mend."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(field=field, rule=rule)


class PromotionError(RecsysError):
    """A model was not promoted because the gate refused it."""

    def __init__(self, task: str, version: str, reason: str) -> None:
        super().__init__(task=task, version=version, reason=reason)


class DriftError(RecsysError):
    """The data or a model changed since the model was judged: `found` says how, `report` where more is."""

    def __init__(self, found: str, report: Path) -> None:
        super().__init__(found=found, report=str(report))


class BusyError(RecsysError):
    """Another run of the same work holds the home: `what` it is and since when."""

    def __init__(self, what: str, since: str) -> None:
        super().__init__(what=what, since=since)
