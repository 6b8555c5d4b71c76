"""What a worker has the `recsys` command do: in somebody's name, one at a time, with errors that can be told."""

import asyncio
import sys
from pathlib import Path

import pytest

from recsys.core.config import Home
from serving.errands import AT_WORK, NOT_HERE, Errands
from serving.errors import RefusedError


@pytest.fixture
def errands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Errands:
    """Errands of a machine whose command is a script that says who asked, and fails as it is told to."""
    command = tmp_path / "bin" / "recsys"
    command.parent.mkdir()
    command.write_text(
        '#!/bin/sh\necho "$RECSYS_USER $RECSYS_HOME $*" >> "$RECSYS_HOME/asked"\necho a line >&2\n'
        'echo "PromotionError: reason: worse" >&2\nsleep "0.$2"\nexit "$3"\n',
        encoding="utf-8",
    )
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    (tmp_path / "home").mkdir()
    return Errands(Home(tmp_path / "home"))


def test_it_is_done_in_the_callers_name_on_this_home(errands: Errands, tmp_path: Path) -> None:
    asyncio.run(errands.run(("promote", "0", "0", "--why", "it's; better"), who="ada"))
    home = tmp_path / "home"
    assert (home / "asked").read_text(encoding="utf-8") == f"ada {home} promote 0 0 --why it's; better\n"


@pytest.mark.parametrize(("code", "status"), [(2, 422), (4, 404), (6, 409), (8, 409), (1, 500)])
def test_its_exit_codes_become_statuses_with_its_last_line(errands: Errands, code: int, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        asyncio.run(errands.run(("promote", "0", str(code)), who="ada"))
    assert refused.value.status == status
    assert refused.value.fields["rule"] == "PromotionError: reason: worse"


def test_only_one_is_done_at_a_time(errands: Errands) -> None:
    async def both() -> None:
        first = asyncio.create_task(errands.run(("promote", "3", "0"), who="ada"))
        await asyncio.sleep(0.05)
        with pytest.raises(RefusedError, match=AT_WORK):
            await errands.run(("promote", "0", "0"), who="olga")
        await first
        await errands.run(("promote", "0", "0"), who="olga")

    asyncio.run(both())


def test_a_machine_without_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RefusedError) as refused:
        asyncio.run(Errands(Home(tmp_path)).run(("promote",), who="ada"))
    assert refused.value.status == 501
    assert refused.value.fields["rule"] == NOT_HERE
