"""The example of the outgrown stack says only what the code understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ASKED = {"POSTGRES_PASSWORD", "SHOP"}
CODE = ("src/recsys", "features", "training", "serving", "console")
OF_IMAGES = {"postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return told


def settings() -> dict[str, str]:
    lines = (DEPLOY / "recsys.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def used(path: Path) -> set[str]:
    """The variables that a file has put in from the environment."""
    return set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))


def test_every_variable_of_the_environment_is_one_that_the_code_reads() -> None:
    sources = "".join(
        file.read_text(encoding="utf-8") for folder in CODE for file in sorted((ROOT / folder).rglob("*.py"))
    )
    for name in settings():
        assert f'"{name}"' in sources or name in used(DEPLOY / "feature_store.yaml"), name


def test_every_variable_that_is_put_in_is_told(compose: dict[str, Any]) -> None:
    assert used(DEPLOY / "compose.yaml") | used(DEPLOY / "recsys.env") == ASKED
    assert used(DEPLOY / "feature_store.yaml") <= settings().keys()
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert all(f"{name}=" in readme for name in ASKED)
    for name, service in compose["services"].items():
        assert set(service.get("environment", {})) == OF_IMAGES.get(name, set())


def test_services_volumes_and_files_that_are_named_are_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        if "image" in service:
            assert re.fullmatch(r"[a-z-]+(:\d+)?", service["image"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source == "${SHOP}" or (DEPLOY / source).exists(), volume
    hosts = {re.sub(r".*@", "", url.split("://")[1]).split(":")[0] for url in settings().values() if "://" in url}
    assert hosts <= set(services) | {"localhost"}
    databases = re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "databases.sql").read_text(encoding="utf-8"))
    named = re.findall(r"postgres:5432/(\w+)", (DEPLOY / "compose.yaml").read_text() + "\n".join(settings().values()))
    assert set(named) == {*databases, services["postgres"]["environment"]["POSTGRES_DB"]}


def test_the_files_that_the_image_is_built_with_are_there(compose: dict[str, Any]) -> None:
    build = compose["services"]["service"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    recipe = (context / build["dockerfile"]).read_text(encoding="utf-8")
    extras = re.search(r"'\.\[([a-z,]+)\]'", recipe)
    assert extras is not None
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"\n{extra} = [" in told for extra in extras.group(1).split(","))
    assert "constraints.txt" in recipe
