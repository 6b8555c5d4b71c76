"""Immutable folders: written aside, sealed with a manifest of digests, made current by one pointer file."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys.core.errors import ArtifactError

MANIFEST = "manifest.json"
POINTER = "CURRENT"


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
    """Fill a folder aside, seal it and move it to `target` in one step; an error or a crash leaves `target` as it was.

    fill: writes files into the folder it is given and returns what the manifest shall say of them.
    Returns the manifest: what `fill` returned and `files`, name -> SHA-256. An existing target is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        manifest = {**fill(aside), "files": _digests(aside)}
        write_text(aside / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True))
        if target.exists():
            old = target.parent / f".{target.name}.{uuid.uuid4().hex}.old"
            target.rename(old)
            aside.rename(target)
            shutil.rmtree(old)
        else:
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def read_manifest(folder: Path, *, verify: bool = True) -> dict[str, Any]:
    """Read a sealed folder's manifest; with verify, `ArtifactError` names the first file that is missing or altered."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, str] = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(folder, "has no readable manifest") from error
    for name, digest in files.items() if verify else ():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(path, "is missing")
        if file_digest(path) != digest:
            raise ArtifactError(path, "differs from the digest in its manifest")
    return manifest


def write_text(path: Path, text: str) -> None:
    """Replace a file's text in one step, durable when this returns."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


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
