"""What is read of a publication that was found whole before, and what is refused none the less."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys.artifacts import publication_seal
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_seal import KNOWN
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError
from recsys.core.folders import MANIFEST, file_digest
from tests.publications import content


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_publication(tmp_path_factory.mktemp("written"), content())


@pytest.fixture
def folder(tmp_path: Path, written: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / written.name))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read for their digest."""
    names: list[str] = []

    def noted(path: Path) -> str:
        names.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(publication_seal, "file_digest", noted)
    return names


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files count as settled as soon as they are written, so that no test has to wait."""
    monkeypatch.setattr(publication_seal, "SETTLED", -1.0)


def files(folder: Path) -> set[str]:
    names: dict[str, str] = json.loads((folder / MANIFEST).read_text())["files"]
    return set(names)


@pytest.mark.usefixtures("settled")
def test_a_folder_is_read_whole_once(folder: Path, read: list[str]) -> None:
    first = Publication.open(folder)
    assert set(read) == files(folder)
    read.clear()
    again = Publication.open(folder)
    assert not read
    np.testing.assert_array_equal(first.churn, again.churn)
    assert publication_seal.verified(folder).known


def test_files_that_were_only_just_written_are_read_again(folder: Path, read: list[str]) -> None:
    for _ in range(2):
        read.clear()
        Publication.open(folder)
        assert set(read) == files(folder)


@pytest.mark.usefixtures("settled")
def test_a_copy_is_read_whole(folder: Path, tmp_path: Path, read: list[str]) -> None:
    Publication.open(folder)
    copied = Path(shutil.copytree(folder, tmp_path / "copied" / folder.name))
    assert (copied / KNOWN).exists()
    read.clear()
    Publication.open(copied)
    assert set(read) == files(folder)


def _touched(folder: Path, name: str, body: bytes) -> None:
    """Put other bytes into a file and give it back its times, as far as anybody can."""
    path = folder / name
    before = path.stat()
    path.write_bytes(body)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _flipped(folder: Path) -> None:
    body = bytearray((folder / "churn_score.npy").read_bytes())
    body[-3] ^= 1
    _touched(folder, "churn_score.npy", bytes(body))


def _cut_short(folder: Path) -> None:
    _touched(folder, "recommend_product.npy", (folder / "recommend_product.npy").read_bytes()[:-4])


def _replaced(folder: Path) -> None:
    other = folder / "other"
    other.write_bytes(bytes(len((folder / "popular.npy").read_bytes())))
    other.replace(folder / "popular.npy")


def _gone(folder: Path) -> None:
    (folder / "members.arrow").unlink()


def _other_manifest(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["value_score.npy"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _wild_rows_well_sealed(folder: Path) -> None:
    path = folder / "purchases_member.npy"
    rows = np.load(path)
    rows[0] = 1000
    np.save(path, rows)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][path.name] = file_digest(path)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("harm", [_flipped, _cut_short, _replaced, _gone, _other_manifest, _wild_rows_well_sealed])
def test_what_was_found_whole_and_then_harmed_is_refused(folder: Path, harm: Callable[[Path], None]) -> None:
    Publication.open(folder)
    harm(folder)
    for _ in range(2):
        with pytest.raises(ArtifactError):
            Publication.open(folder)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("note", ["", "[]", "{}", '{"manifest": 1, "files": []}', '{"files": {}}'])
def test_a_note_that_says_nothing_is_no_note(folder: Path, read: list[str], note: str) -> None:
    (folder / KNOWN).write_text(note)
    Publication.open(folder)
    assert set(read) == files(folder)


@pytest.mark.usefixtures("settled")
def test_a_folder_that_nothing_can_be_written_into_is_read_whole_each_time(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(path, text)

    monkeypatch.setattr(publication_seal, "write_text", refuse)
    for _ in range(2):
        read.clear()
        Publication.open(folder)
        assert set(read) == files(folder)
