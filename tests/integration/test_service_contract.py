"""The running service, asked all that its API page allows and much that it does not."""

import subprocess
import sys
from pathlib import Path

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import content
from tests.serving_process import serve_command, serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
EXAMPLES = 30


def test_nothing_that_is_asked_breaks_the_service_and_every_answer_fits_its_schema(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    write_publication(home.publications, content())
    with serving(serve_command(), home.root, tmp_path) as service:
        told = subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"),
                "run",
                f"{service.url}/docs.json",
                "--checks",
                ",".join(CHECKS),
                "--max-examples",
                str(EXAMPLES),
                "--seed",
                "1",
                "--suppress-health-check",
                "all",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        log = service.log.read_text(encoding="utf-8")
    assert told.returncode == 0, told.stdout[-8000:]
    assert "Traceback" not in log
