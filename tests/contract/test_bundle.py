import json
from dataclasses import replace
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from recsys.artifacts.bundle import ModelBundle, load_bundle, save_bundle
from recsys.core.errors import ArtifactError
from recsys.core.folders import MANIFEST, file_digest
from tests.contract.conftest import Case


def bundle_of(case: Case) -> ModelBundle:
    return ModelBundle(
        task=replace(case.model.task, horizon=21),
        model=case.model,
        config=case.config,
        specs=case.training.specs,
        tables_digest="0f" * 32,
        cutoffs=tuple(example.rows.as_of for example in case.training.examples),
        metrics={"auc": 0.75, "ece": 0.01},
        code_version="0.1.0",
    )


def rewrite(folder: Path, **changes: object) -> None:
    """Change a manifest's fields, as somebody would who keeps the digests right."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


def test_what_was_saved_comes_back(case: Case, tmp_path: Path) -> None:
    bundle = bundle_of(case)
    manifest = save_bundle(bundle, tmp_path / "bundle")
    again = load_bundle(tmp_path / "bundle")
    assert replace(again, model=bundle.model) == bundle
    assert again.model.task == bundle.task
    assert manifest["task"]["horizon"] == 21
    rows = case.test.rows
    columns = list(rows.task.scores)
    assert_frame_equal(again.model.score(rows).table[columns], bundle.model.score(rows).table[columns])


def test_saving_again_replaces(case: Case, tmp_path: Path) -> None:
    save_bundle(bundle_of(case), tmp_path / "bundle")
    save_bundle(replace(bundle_of(case), code_version="0.2.0"), tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").code_version == "0.2.0"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_spoiled_file_is_refused(case: Case, tmp_path: Path) -> None:
    save_bundle(bundle_of(case), tmp_path / "bundle")
    for path in [path for path in (tmp_path / "bundle").rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for spoiled in (whole[: len(whole) // 2], b""):
            path.write_bytes(spoiled)
            with pytest.raises(ArtifactError):
                load_bundle(tmp_path / "bundle")
        path.write_bytes(whole)
    load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "model-bundle/99"},
        {"task": {"name": "weather"}},
        {"config": {"unknown": 1}},
        {"specs": [{"name": "x"}]},
        {"cutoffs": [{"day": "someday", "zone": "UTC"}]},
        {"metrics": None},
        {"code_version": None, "task": None},
    ],
)
def test_a_manifest_that_says_something_else_is_refused(case: Case, tmp_path: Path, change: dict[str, object]) -> None:
    save_bundle(bundle_of(case), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", **change)
    with pytest.raises(ArtifactError):
        load_bundle(tmp_path / "bundle")


def test_trees_of_another_model_are_refused_though_their_digest_is_right(case: Case, tmp_path: Path) -> None:
    save_bundle(bundle_of(case), tmp_path / "bundle")
    trees = next((tmp_path / "bundle" / "model").glob("*.txt"))
    trees.write_text("tree\nno trees at all\n", encoding="utf-8")
    for folder in (tmp_path / "bundle" / "model", tmp_path / "bundle"):
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: file_digest(folder / name) for name in manifest["files"]}
        rewrite(folder, files=files)
    with pytest.raises(ArtifactError, match="LightGBM"):
        load_bundle(tmp_path / "bundle")


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        load_bundle(tmp_path / "nowhere")
