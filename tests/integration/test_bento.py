import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx
import pytest

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import content, member_id
from tests.serving_process import serve_command, serving

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Python that has every dependency and not the project: it sees the folder of packages, not its links."""
    folder = tmp_path_factory.mktemp("stranger")
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return str(folder / "bin" / "python")


def test_a_bento_serves_where_the_project_is_not_installed(stranger: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    without = subprocess.run(
        [stranger, "-c", "import recsys"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "No module named 'recsys'" in without.stderr

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
