"""The member's live feature row: read from the packed online store when it is there, else told why not."""

from pathlib import Path

from recsys.answers.shapes import FeatureRow, Scalar
from recsys.core.errors import RecsysError
from recsys.core.task import View
from recsys.store.packed import PackedReader


class OnlineRows:
    """Opens the store when it appears; reading never fails, it only comes back without a row."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: PackedReader | None = None

    def read(self, member_id: str) -> tuple[FeatureRow | None, str | None]:
        """Return the member's row, or None and why there is none."""
        try:
            if self._reader is None:
                self._reader = PackedReader(self._path)
            rows = self._reader.read(View.MEMBER, [member_id])
        except RecsysError as error:
            return None, f"the online store cannot be read: {error}"
        if not rows.found[0]:
            return None, "the online store has no row of this member"
        columns = (column.name for column in rows.schema.columns)
        values = {name: _scalar(rows.column(name)[0]) for name in columns}
        return FeatureRow("online", f"{rows.event_time[0].astype('datetime64[s]')}+00:00", None, values), None


def _scalar(value: object) -> Scalar:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
