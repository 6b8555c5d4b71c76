"""Whether a publication is whole: its digests, worked out once, and remembered for files that nobody touched since."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.core.errors import ArtifactError
from recsys.core.folders import MANIFEST, file_digest, read_manifest, text_digest, write_text

KNOWN = ".verified.json"
"""Left in a publication by whoever found it whole: each file as the file system then described it."""

SETTLED = 2.0
"""Files changed within so many seconds before they were looked at are looked at again: a clock may be that coarse."""


@dataclass(frozen=True)
class Seal:
    """A publication that is as its manifest says.

    states: each file as the file system described it at `looked_at`, in nanoseconds, before it was read.
    known: whether these very files were opened whole before, so that their rows need not be held to their bounds again.
    """

    folder: Path
    manifest: dict[str, Any]
    states: dict[str, list[int]]
    looked_at: int
    known: bool


def verified(folder: Path) -> Seal:
    """Hold a folder to its manifest; `ArtifactError` names a file that is missing or altered.

    A file that somebody verified before is not read again if the file system still tells of it the same inode, size and
    time of change; the kernel sets that time at every write, and no copy has it.
    """
    manifest = read_manifest(folder, verify=False)
    files: dict[str, str] = manifest["files"]
    looked_at = time.time_ns()
    states = {name: _state(folder / name) for name in files}
    known = _known(folder)
    new = [name for name in files if known.get(name) != states[name]]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, digest in zip(new, pool.map(lambda name: _digest(folder / name), new), strict=True):
            if digest != files[name]:
                raise ArtifactError(folder / name, "differs from the digest in its manifest")
    return Seal(folder, manifest, states, looked_at, known=not new)


def remember(seal: Seal) -> None:
    """Note that a folder was opened whole, so that who opens it next need not read all of it; where it can be written.

    Files that had just been changed when they were looked at are not noted.
    """
    if seal.known:
        return
    latest = seal.looked_at - int(SETTLED * 1e9)
    settled = {name: state for name, state in seal.states.items() if max(state[-2:]) < latest}
    told = {"manifest": _manifest_digest(seal.folder), "files": settled}
    with suppress(OSError):
        write_text(seal.folder / KNOWN, json.dumps(told))


def _known(folder: Path) -> dict[str, list[int]]:
    try:
        told = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
        return dict(told["files"]) if told["manifest"] == _manifest_digest(folder) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _manifest_digest(folder: Path) -> str:
    return text_digest((folder / MANIFEST).read_text(encoding="utf-8"))


def _state(path: Path) -> list[int]:
    try:
        told = path.stat()
    except (OSError, ValueError) as error:
        raise ArtifactError(path, "is missing") from error
    return [told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns]


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ArtifactError(path, "is missing") from error
