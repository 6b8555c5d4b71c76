"""The packed rows of `recsys.store.packed` in a Redis, for shops of which many machines read."""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from recsys.core.errors import ConfigError, MissingError
from recsys.store.packed_batch import Batch, Key, collected_later, instant, moved, row_names
from recsys.store.packed_layout import PackedSchema, pieces
from recsys.store.packed_rows import PackedBytes, PackedRows

SETTING = "RECSYS_ONLINE_URL"
CHUNK = 16_384
AT_ONCE = 512
"""Rows that one call of a script handles: others wait meanwhile, for about a millisecond."""
SCANNED = 10_000
WRITE_SECONDS = 60.0
READ_SECONDS = 5.0
READ_SIZE = 1 << 18
"""Bytes taken from the socket at once: about what 500 members have."""

TIMES = struct.Struct("<qq")
Client = Any  # its answers are typed as bytes or texts, whatever it was told; here they are bytes

# KEYS: where the newest times ever written are kept, then the rows' names. ARGV: the oldest and the newest times of the
# rows, then the rows, which begin with their schema's number, event time and created time. Rows of which none is older
# than the newest one need not be compared one by one.
PUT = """
local function newer(these, those)
    local event, created = struct.unpack('<i8i8', these)
    local other, other_created = struct.unpack('<i8i8', those)
    return event > other or (event == other and created >= other_created)
end
local newest = redis.call('GET', KEYS[1])
if not newest or newer(ARGV[2], newest) then
    redis.call('SET', KEYS[1], ARGV[2])
end
local pairs = {}
if not newest or newer(ARGV[1], newest) then
    for place = 2, #KEYS do
        pairs[2 * place - 3], pairs[2 * place - 2] = KEYS[place], ARGV[place + 1]
    end
else
    for place = 2, #KEYS do
        local name, row = KEYS[place], ARGV[place + 1]
        local stored = redis.call('GETRANGE', name, 8, 23)
        if stored == '' or newer(string.sub(row, 9, 24), stored) then
            pairs[#pairs + 1] = name
            pairs[#pairs + 1] = row
        end
    end
end
if #pairs > 0 then
    redis.call('MSET', unpack(pairs))
end
return #pairs / 2
"""

# ARGV[1]: rows with an earlier event time go; empty = all.
FORGET = """
local gone = 0
for _, name in ipairs(KEYS) do
    local event = redis.call('GETRANGE', name, 8, 15)
    if event ~= '' and (ARGV[1] == '' or struct.unpack('<i8', event) < tonumber(ARGV[1])) then
        gone = gone + redis.call('UNLINK', name)
    end
end
return gone
"""


class PackedRedisStore:
    """Writes packed rows into a Redis: one value a member and view, the same bytes as in LMDB.

    A row is whole at any time and a newer one is never overwritten, whoever writes at once. A load, however, is seen
    row by row: when its process dies, the rows that it had not come to are the old ones, and the next load writes
    them. How long rows last in a machine's death is Redis' own setting (appendonly).
    """

    def __init__(self, url: str) -> None:
        """Take a URL like redis://host:6379/0; `ConfigError` when it is none."""
        self._redis = connected(url, seconds=WRITE_SECONDS)
        self._put = self._redis.register_script(PUT)
        self._forget = self._redis.register_script(FORGET)

    def write(
        self,
        view: str,
        table: pa.Table,
        *,
        keys: Sequence[str],
        event: str,
        created: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Write rows; a row that is older than the stored one is left out. See `PackedStore.write`.

        progress: called with the number of rows of each chunk, when they are written and may be seen.
        """
        schema = PackedSchema.of(table.schema, keys=keys, skip=[name for name in (event, created) if name])
        batch = Batch.of(table, keys=keys, event=event, created=created)
        if not len(batch):
            return 0
        prefix, newest, written = _prefix(view), _newest_name(view), 0
        spans = [TIMES.pack(*batch.oldest), TIMES.pack(*batch.newest)]
        with answering(), collected_later():
            self._redis.hset(_schemas_name(view), schema.number.to_bytes(8, "little"), schema.dump())
            for start in range(0, len(batch), CHUNK):
                part = batch.part(start, start + CHUNK)
                names, rows = [prefix + name for name in part.names], pieces(part.rows(schema))
                with self._redis.pipeline(transaction=False) as calls:
                    for first in range(0, len(names), AT_ONCE):
                        cut = slice(first, first + AT_ONCE)
                        self._put(keys=[newest, *names[cut]], args=[*spans, *rows[cut]], client=calls)
                    written += sum(calls.execute())
                if progress:
                    progress(len(names))
            self._redis.set(_view_name(view), schema.number.to_bytes(8, "little"))
        return written

    def forget(self, view: str, *, before: datetime | None = None) -> int:
        """Take away a view's rows, all of them or those with an event time before an instant; returns how many."""
        limit = "" if before is None else str(instant(before))
        gone = 0
        with answering():
            for names in _scanned(self._redis, view):
                for first in range(0, len(names), AT_ONCE):
                    gone += int(self._forget(keys=names[first : first + AT_ONCE], args=[limit]))
            if before is None:
                self._redis.delete(*(name(view) for name in (_view_name, _schemas_name, _note_name, _newest_name)))
        return gone

    def note(self, view: str, made_of: str) -> None:
        """Keep beside a view's rows what they were made of."""
        with answering():
            self._redis.set(_note_name(view), made_of.encode())


class PackedRedisReader:
    """Reads packed rows from a Redis; needs no Feast, and sees at once what was written.

    Keeps connections of its own, so it may be used by several threads, but must not be carried over a fork.
    """

    def __init__(self, url: str, *, seconds: float = READ_SECONDS) -> None:
        """Take a URL and the seconds that Redis has for an answer; `ConfigError` when it is no URL of a Redis."""
        self._redis = connected(url, seconds=seconds)
        self._schemas: dict[tuple[str, int], PackedSchema] = {}

    def read(self, view: str, keys: Sequence[Key], *, not_before: datetime | None = None) -> PackedRows:
        """Read the rows of keys, in the keys' order; see `PackedReader.read`.

        `MissingError` when the view was never materialised, `ConfigError` when Redis does not answer in time.
        """
        with answering():
            prefix = _prefix(view)
            number, *found = self._redis.mget([_view_name(view), *(prefix + name for name in row_names(keys))])
            latest = self._schema(view, _named(view, number))
            packed = PackedBytes.of([row or latest.empty for row in found])
            older = {one: self._schema(view, one) for one in packed.foreign(latest)}
        if older:
            packed = moved(packed, older, latest)
        return PackedRows.of(latest, packed, not_before=instant(not_before))

    def schema(self, view: str) -> PackedSchema:
        """Return the columns of a view as last written; `MissingError` when it was never materialised."""
        with answering():
            return self._schema(view, _named(view, self._redis.get(_view_name(view))))

    def count(self, view: str) -> int:
        """Count the rows of a view; about, while others write."""
        with answering():
            return sum(map(len, _scanned(self._redis, view)))

    def made_of(self, view: str) -> str | None:
        """Return what was noted of a view's rows, None where nothing was."""
        with answering():
            noted = self._redis.get(_note_name(view))
        return None if noted is None else str(noted.decode())

    def _schema(self, view: str, number: int) -> PackedSchema:
        place = (view, number)
        if place not in self._schemas:
            text = self._redis.hget(_schemas_name(view), number.to_bytes(8, "little"))
            if text is None:
                raise MissingError(f"the schema of online rows of {view}", "recsys materialize")
            self._schemas[place] = PackedSchema.load(text)
        return self._schemas[place]


def connected(url: str, *, seconds: float) -> Client:
    """Return a client that gives Redis so many seconds for an answer and does not try twice; connects when asked."""
    try:
        return Redis.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            socket_read_size=READ_SIZE,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError:
        raise ConfigError(SETTING, "is no URL of a Redis, such as redis://127.0.0.1:6379/0") from None


@contextmanager
def answering() -> Iterator[None]:
    """Tell of a Redis that does not answer, or not as it should, by the setting that names it."""
    try:
        yield
    except RedisError as error:
        raise ConfigError(SETTING, f"names a Redis that does not answer: {type(error).__name__}") from error


def _named(view: str, number: bytes | None) -> int:
    if number is None:
        raise MissingError(f"online rows of {view}", "recsys materialize")
    return int.from_bytes(number, "little")


def _scanned(redis: Client, view: str) -> Iterator[list[bytes]]:
    pattern = b"".join(b"\\" + one if one in b"*?[]\\^" else one for one in map(_byte, _prefix(view))) + b"*"
    cursor = 0
    while True:
        cursor, names = redis.scan(cursor, match=pattern, count=SCANNED)
        yield names
        if cursor == 0:
            return


def _byte(number: int) -> bytes:
    return bytes([number])


def _prefix(view: str) -> bytes:
    return b"recsys:rows:" + view.encode() + b"\0"


def _view_name(view: str) -> bytes:
    return b"recsys:view:" + view.encode()


def _newest_name(view: str) -> bytes:
    return b"recsys:newest:" + view.encode()


def _schemas_name(view: str) -> bytes:
    return b"recsys:schemas:" + view.encode()


def _note_name(view: str) -> bytes:
    return b"recsys:made_of:" + view.encode()
