"""Immutable folders: written aside, sealed with a manifest of digests, made current by one pointer file."""

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from recsys.core.errors import ArtifactError

MANIFEST = "manifest.json"
POINTER = "CURRENT"
LEFT_AFTER_SECONDS = 86_400
_ASIDE = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{32}(?P<old>\.old)?")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(*parts: str) -> str:
    """SHA-256 of texts in order, in hex."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part.encode())
    return digest.hexdigest()


def write_folder(target: Path, fill: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Fill a folder aside, seal it and move it to `target`, durable when this returns; an error changes nothing.

    An existing target is replaced by two renames; after a crash between them, `restore` brings the earlier folder back,
    and every write and `read_manifest` begin with it.
    fill: writes files into the folder it is given and returns what the manifest shall say of them.
    Returns the manifest: what `fill` returned and `files`, name -> SHA-256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    restore(target)
    _sweep(target.parent)
    aside = _beside(target)
    aside.mkdir()
    try:
        manifest = {**fill(aside), "files": _digests(aside)}
        write_text(aside / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True))
        for path in (*aside.rglob("*"), aside):
            _sync(path)
        _replace(target, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        restore(target)
    return manifest


def move_folder(made: Path, target: Path) -> None:
    """Move a sealed folder to its place, durable when this returns; what stands there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, made)
    _sync(target.parent.parent)


def restore(target: Path) -> None:
    """Bring back the folder that a crash in the middle of its replacement left beside its place."""
    for old in () if target.exists() else _replaced(target):
        with suppress(OSError):
            old.rename(target)
            return


def read_manifest(folder: Path, *, verify: bool = True) -> dict[str, Any]:
    """Read a sealed folder's manifest; with verify, `ArtifactError` names the first file that is missing or altered."""
    restore(folder)
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, str] = manifest["files"]
        sealed = all(isinstance(digest, str) for digest in files.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(folder, "has no readable manifest") from error
    if not sealed:
        raise ArtifactError(folder, "has no readable manifest")
    for name, digest in files.items() if verify else ():
        path = folder / name
        try:
            found = file_digest(path)
        except (OSError, ValueError) as error:
            raise ArtifactError(path, "is missing") from error
        if found != digest:
            raise ArtifactError(path, "differs from the digest in its manifest")
    return manifest


def write_text(path: Path, text: str) -> None:
    """Replace a file's text in one step, durable when this returns."""
    aside = _beside(path)
    try:
        aside.write_text(text, encoding="utf-8")
        _sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync(path.parent)


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of pieces, which replaces what was there in one step; durable when this returns."""
    aside = _beside(path)
    try:
        with aside.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        _sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync(path.parent)


def point(root: Path, name: str) -> None:
    """Make root/name the current folder of root."""
    write_text(root / POINTER, name + "\n")


def current(root: Path) -> Path | None:
    """Return the folder that root's pointer names, or None when nothing was made current yet."""
    pointer = root / POINTER
    return root / pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def _beside(target: Path) -> Path:
    """Name something new in the target's folder; `_sweep` and `restore` know such names."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}")


def _replaced(target: Path) -> Iterator[Path]:
    return target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 32}.old")


def _replace(target: Path, aside: Path) -> None:
    """Move aside to target and what stood there away; whoever puts a folder there meanwhile is replaced too."""
    while True:
        with suppress(FileNotFoundError):
            target.rename(f"{_beside(target)}.old")
        try:
            aside.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            break
    _sync(target.parent)
    for old in _replaced(target):
        shutil.rmtree(old, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what runs that were killed left aside, a day after; a replaced folder only where its place is taken."""
    for left in parent.iterdir():
        known = _ASIDE.fullmatch(left.name)
        if known is None or (known["old"] and not (parent / known["target"]).exists()):
            continue
        with suppress(FileNotFoundError):
            if left.is_dir() and left.stat().st_mtime < time.time() - LEFT_AFTER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
