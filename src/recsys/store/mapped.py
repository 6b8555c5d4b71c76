import os
import weakref
from pathlib import Path
from threading import Lock

import lmdb

from recsys.core.errors import ArtifactError

DATA = "data.mdb"
MAX_READERS = 1024

# LMDB allows one handle of an environment in a process, so whoever opens a file shares it. A file is told by device and
# inode: one that was put in another's place is another.
_open: "weakref.WeakValueDictionary[tuple[int, int], lmdb.Environment]" = weakref.WeakValueDictionary()
_opening = Lock()


def environment(folder: Path, *, size: int, sync: bool = True) -> "lmdb.Environment":
    """Open the LMDB environment of a folder, made when it is not there; it is closed with its last user.

    size: bytes of address space, and how large the file may grow.
    sync: False leaves the moment of writing to the kernel: the death of a process loses nothing, that of the machine
        may spoil the file.
    `ArtifactError` when the file is none of LMDB's. Must not be carried over a fork.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _opening:
        env = _known(folder)
        if env is None:
            try:
                env = lmdb.open(str(folder.resolve()), map_size=size, max_readers=MAX_READERS, sync=sync)
            except lmdb.Error as error:
                raise ArtifactError(folder, f"is no LMDB store: {error}") from error
            place = identity(folder)
            if place is not None:
                _open[place] = env
        return env


def identity(folder: Path) -> tuple[int, int] | None:
    """Return device and inode of the file that stands in a folder now, None when there is none."""
    try:
        stat = os.stat(f"{folder}/{DATA}")  # noqa: PTH116, called on the hot path
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _known(folder: Path) -> "lmdb.Environment | None":
    place = identity(folder)
    return None if place is None else _open.get(place)
