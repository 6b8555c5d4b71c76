import os
import time
from pathlib import Path
from typing import Any

import pytest

from recsys.core.errors import ArtifactError
from recsys.core.folders import current, point, read_manifest, text_digest, write_folder, write_text


def fill(text: str) -> Any:
    def write(folder: Path) -> dict[str, Any]:
        (folder / "部分").mkdir()
        (folder / "部分" / "a.txt").write_text(text, encoding="utf-8")
        return {"kind": "test"}

    return write


def test_a_sealed_folder_is_read_back_with_the_digest_of_each_file(tmp_path: Path) -> None:
    written = write_folder(tmp_path / "one", fill("x"))
    assert read_manifest(tmp_path / "one") == written
    assert set(written["files"]) == {"部分/a.txt"}


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "部分" / "a.txt").write_text("y"), "differs from the digest in its manifest"),
        (lambda folder: (folder / "部分" / "a.txt").unlink(), "is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "has no readable manifest"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "has no readable manifest"),
        (lambda folder: (folder / "manifest.json").write_text('{"files": ["a"]}'), "has no readable manifest"),
        (lambda folder: (folder / "manifest.json").write_text('{"files": {"a": 1}}'), "has no readable manifest"),
        (lambda folder: (folder / "manifest.json").write_text('{"files": {"部分": ""}}'), "is missing"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 100_000), "has no readable manifest"),
        (lambda folder: (folder / "manifest.json").unlink(), "has no readable manifest"),
    ],
)
def test_a_harmed_folder_is_refused_with_the_reason(tmp_path: Path, harm: Any, reason: str) -> None:
    write_folder(tmp_path / "one", fill("x"))
    harm(tmp_path / "one")
    with pytest.raises(ArtifactError) as caught:
        read_manifest(tmp_path / "one")
    assert caught.value.fields["reason"] == reason


def test_without_verify_only_the_manifest_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", fill("x"))
    (tmp_path / "one" / "部分" / "a.txt").unlink()
    assert read_manifest(tmp_path / "one", verify=False)["kind"] == "test"


def test_a_failed_fill_leaves_the_old_folder_and_nothing_aside(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", fill("x"))

    def fail(folder: Path) -> dict[str, Any]:
        (folder / "half").write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_folder(tmp_path / "one", fail)
    read_manifest(tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_an_existing_folder_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", fill("x"))
    write_folder(tmp_path / "one", fill("y"))
    assert (tmp_path / "one" / "部分" / "a.txt").read_text(encoding="utf-8") == "y"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_the_pointer_names_the_current_folder(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    point(tmp_path, "first")
    point(tmp_path, "第二")
    assert current(tmp_path) == tmp_path / "第二"


def test_text_is_replaced_in_one_step(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "one")
    write_text(tmp_path / "a", "two")
    assert (tmp_path / "a").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_text_digest_tells_parts_apart() -> None:
    assert text_digest("ab", "c") != text_digest("a", "bc")


def test_a_crash_in_the_middle_of_a_replacement_loses_nothing(tmp_path: Path) -> None:
    written = write_folder(tmp_path / "one", fill("x"))
    (tmp_path / "one").rename(tmp_path / f".one.{'0' * 32}.old")
    assert read_manifest(tmp_path / "one") == written
    (tmp_path / "one").rename(tmp_path / f".one.{'0' * 32}.old")
    with pytest.raises(ZeroDivisionError):
        write_folder(tmp_path / "one", lambda _folder: {"half": 1 / 0})
    assert read_manifest(tmp_path / "one") == written


def test_a_folder_that_came_meanwhile_is_replaced(tmp_path: Path) -> None:
    def late(folder: Path) -> dict[str, Any]:
        write_folder(tmp_path / "one", fill("first"))
        return dict(fill("second")(folder))

    write_folder(tmp_path / "one", late)
    assert (tmp_path / "one" / "部分" / "a.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_killed_runs_left_is_swept_a_day_after_unless_it_is_all_there_is(tmp_path: Path) -> None:
    names = {"young": f".a.{'0' * 32}", "dead": f".b.{'1' * 32}", "last": f".c.{'2' * 32}.old", "own": ".d.txt"}
    for what, name in names.items():
        (tmp_path / name).mkdir()
        if what != "young":
            os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    write_folder(tmp_path / "one", fill("x"))
    assert {path.name for path in tmp_path.iterdir()} == {"one", names["young"], names["last"], names["own"]}


def test_a_sealed_folder_is_durable_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append(path.name if path.name in ("a.txt", "部分") or path == tmp_path else "aside")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_folder(tmp_path / "one", fill("x"))
    assert {"a.txt", "部分", "aside"} <= set(synced)
    assert synced[-1] == tmp_path.name
