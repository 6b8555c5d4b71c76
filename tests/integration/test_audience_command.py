import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.publications import content, member_id

LEAVING = json.dumps({"score": "churn", "min": 0.5})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_publication(home.publications, content())
    return home


def run(home: Home, arguments: Sequence[str], *, code: int = 0) -> "subprocess.CompletedProcess[str]":
    command = Path(sys.executable).with_name("recsys")
    environment = {**os.environ, "RECSYS_HOME": str(home.root), "RECSYS_USER": "王芳"}
    done = subprocess.run(
        [command, "audience", *arguments], env=environment, cwd=home.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def test_an_audience_is_made_shown_taken_away_and_ended(home: Home, tmp_path: Path) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text(LEAVING, encoding="utf-8")
    told = json.loads(run(home, ["preview", "--rule", str(rule), "--sample", "1"]).stdout)
    assert (told["count"], len(told["sample"])) == (19, 1)

    made = run(home, ["new", "流失", "--rule", LEAVING, "--hold-out", "0.2", "--pressure", "none"])
    audience_id = made.stdout.strip()
    assert "to be reached 15, held out 4" in made.stderr
    again = run(home, ["new", "--of", audience_id, "--top", "5", "--rule", LEAVING])
    assert again.stdout.strip() == audience_id
    assert "流失: 4 of 5 to be reached" in run(home, ["list"]).stdout
    shown = json.loads(run(home, ["show", audience_id]).stdout)
    assert [one["counts"]["members"] for one in shown["versions"]] == [5, 19]

    file = tmp_path / "members.jsonl"
    taken = ["export", audience_id, "--version", "1", "--format", "jsonl", "--arm", "all", "--to", str(file)]
    assert run(home, taken).stdout.strip() == str(file)
    assert len(file.read_text(encoding="utf-8").splitlines()) == 19
    assert run(home, ["export", audience_id]).stdout.strip() == f"{audience_id}-v2-treated.csv"
    assert (home.root / f"{audience_id}-v2-treated.csv").read_bytes().startswith(b"\xef\xbb\xbf")

    run(home, ["end", audience_id])
    log = run(home, ["audit"]).stdout.splitlines()
    assert [line.split("  ")[3] for line in log] == [
        "end",
        *("exported", "export") * 2,
        "view",
        "list",
        *("create",) * 2,
        "preview",
    ]
    assert all("王芳 (command)" in line for line in log)


def test_a_list_and_a_template_make_audiences_too(home: Home, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("\n".join(member_id(n) for n in range(5)) + "\n", encoding="utf-8")
    assert "members" in run(home, ["new", "相似", "--seeds", str(seeds)], code=2).stderr
    made = run(home, ["new", "回购", "--template", "repurchase_reminder"])
    assert "picked" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["new", "x"], "rule"),
        (["new", "--rule", LEAVING], "name"),
        (["new", "x", "--rule", "{"], "rule"),
        (["new", "x", "--rule", "no-such-file"], "rule"),
        (["new", "x", "--rule", LEAVING, "--pressure", "often"], "pressure"),
        (["new", "x", "--template", "repurchase_reminder", "--answer", "within"], "answer"),
        (["preview"], "rule"),
        (["export", "no-such"], "audience_id"),
        (["export", "no-such", "--format", "xls"], "format"),
        (["export", "no-such", "--arm", "both"], "arm"),
        (["export", "no-such", "--callback", "crm"], "callback"),
        (["end", "no-such"], "audience_id"),
    ],
)
def test_what_is_wrong_is_named(home: Home, arguments: list[str], field: str) -> None:
    assert f"field: {field};" in run(home, arguments, code=2).stderr
