import contextlib
import os
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import content, member_id
from tests.serving_process import serve_command, serving

PROJECT = Path(__file__).parents[2]


def closure(requirements: Path) -> set[str]:
    """Return the distributions that a requirements file asks for, and those they ask for in turn."""
    lines = (line.split("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    todo = [Requirement(line) for line in lines if line]
    seen: set[tuple[str, str]] = set()
    while todo:
        wanted = todo.pop()
        for extra in ("", *wanted.extras):
            if (wanted.name, extra) in seen:
                continue
            seen.add((wanted.name, extra))
            needs = [Requirement(text) for text in metadata.requires(wanted.name) or ()]
            todo += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Python that has what `serving/requirements.txt` asks for, with all that needs, and nothing else."""
    folder = tmp_path_factory.mktemp("stranger")
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    installed = Path(sysconfig.get_paths()["purelib"])
    for name in closure(PROJECT / "serving" / "requirements.txt"):
        for top in {file.parts[0] for file in metadata.files(name) or ()} - {"..", "__pycache__", "bin"}:
            with contextlib.suppress(FileExistsError):
                (packages / top).symlink_to(installed / top)
    return str(folder / "bin" / "python")


def test_a_bento_serves_where_the_project_is_not_installed(stranger: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    without = subprocess.run(
        [stranger, "-c", "import recsys"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "No module named 'recsys'" in without.stderr
    heavy = subprocess.run(
        [stranger, "-c", "import pandas"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "No module named 'pandas'" in heavy.stderr

    built = subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    tag = built.stdout.strip().splitlines()[-1].removeprefix("__tag__:")

    home = Home(tmp_path / "home")
    write_publication(home.publications, content())
    with serving(serve_command(stranger, tag), home.root, tmp_path) as service:
        body = {"placement": "home", "member_id": member_id(1), "k": 5}
        answer = httpx.post(f"{service.url}/recommend", json=body, timeout=10).json()
        assert (answer["route"], len(answer["items"])) == ("warm", 5)
        assert httpx.get(f"{service.url}/docs.json", timeout=10).status_code == 200
