"""Promotions over the real registry and ledger, also those that a crash cut short."""

from collections.abc import Iterator

import pytest

from recsys.core.config import Home
from recsys.core.errors import BusyError, ConfigError, PromotionError
from recsys.store.database import database
from recsys.store.promotions import Promotion, history
from training.alone import alone
from training.gate import Gate
from training.promote import promote, run_promote, run_rollback, run_runs
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("RECSYS_DATABASE_URL", raising=False)
        yield Workspace(Home(tmp_path_factory.mktemp("home")), Project(), Screen())


def challenge(workspace: Workspace, task: str, gate: Gate) -> str:
    """Register a challenger of which nothing but its gate is known."""
    folder = workspace.home.root / "aside"
    (folder / "bundle").mkdir(parents=True, exist_ok=True)
    (folder / "bundle" / "note.txt").write_text("empty", encoding="utf-8")
    gate.write(folder)
    return workspace.tracking.log(task, folder, {"metric": "auc"}, {"auc": 0.8}, {}).version


def passing(champion: str = "") -> Gate:
    return Gate("auc", champion, passed=True, reason="no worse")


def ledger(workspace: Workspace, task: str) -> list[Promotion]:
    with database(workspace.home.database) as engine:
        return list(history(engine, task))


def champion(workspace: Workspace, task: str) -> str:
    return workspace.tracking.champion(task).version


def first(workspace: Workspace, task: str) -> None:
    challenge(workspace, task, passing())
    promote(workspace, task, who="a", why="first", force=False)


def test_a_refused_challenger_passes_only_by_force_and_the_ledger_says_so(workspace: Workspace) -> None:
    first(workspace, "churn")
    challenge(workspace, "churn", Gate("auc", "1", passed=False, reason="significantly worse"))
    with pytest.raises(PromotionError, match="significantly worse"):
        run_promote(workspace, "churn", who="b", why="", force=False)
    with pytest.raises(ConfigError, match="why"):
        run_promote(workspace, "churn", who="b", why="", force=True)
    assert champion(workspace, "churn") == "1"
    run_promote(workspace, "churn", who="b", why="a trial", force=True)
    assert champion(workspace, "churn") == "2"
    assert (ledger(workspace, "churn")[-1].forced, ledger(workspace, "churn")[-1].why) == (True, "a trial")


def test_a_challenger_measured_against_another_champion_is_refused(workspace: Workspace) -> None:
    first(workspace, "repurchase")
    challenge(workspace, "repurchase", passing(champion="7"))
    with pytest.raises(PromotionError, match="train again"):
        promote(workspace, "repurchase", who="b", why="", force=False)


def test_a_champion_that_the_ledger_missed_gets_its_line_and_can_be_rolled_back(workspace: Workspace) -> None:
    first(workspace, "recommend")
    challenge(workspace, "recommend", passing("1"))
    workspace.tracking.set_champion("recommend", "2")  # and the process ended before the ledger's line was kept
    run_rollback(workspace, "recommend", who="c", why="back")
    assert champion(workspace, "recommend") == "1"
    assert [(line.action, line.version) for line in ledger(workspace, "recommend")] == [
        ("promote", "1"),
        ("promote", "2"),
        ("rollback", "1"),
    ]


def test_a_promotion_cut_short_between_two_aliases_is_finished(workspace: Workspace) -> None:
    from mlflow import MlflowClient

    first(workspace, "new_product")
    challenge(workspace, "new_product", passing("1"))
    client = MlflowClient(tracking_uri=workspace.tracking.uri, registry_uri=workspace.tracking.uri)
    client.set_registered_model_alias("new_product", "champion", "2")
    promoted = promote(workspace, "new_product", who="c", why="again", force=False)
    assert (promoted.version, promoted.aliases) == ("2", ("champion",))
    assert [line.version for line in ledger(workspace, "new_product")] == ["1", "2"]


def test_runs_tell_what_waits_and_why(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    first(workspace, "value")
    challenge(workspace, "value", Gate("auc", "1", passed=False, reason="auc -0.1"))
    run_runs(workspace, "value")
    out, _ = capfd.readouterr()
    assert "version 2 waits; its gate refuses it: auc -0.1" in out
    assert "promote 1 by a: first" in out


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_ends_early_is_marked_so(workspace: Workspace, error: type[BaseException], status: str) -> None:
    from mlflow import MlflowClient

    with pytest.raises(error), workspace.tracking.run("churn", "search", {}, {}) as run:
        raise error
    assert MlflowClient(tracking_uri=workspace.tracking.uri).get_run(run.run_id).info.status == status


def test_the_same_work_is_done_by_one_at_a_time(workspace: Workspace) -> None:
    with alone(workspace.home, "retrain"):
        with pytest.raises(BusyError, match="retrain"), alone(workspace.home, "retrain"):
            pass
        with alone(workspace.home, "other work"):
            pass
    with alone(workspace.home, "retrain"):
        pass
