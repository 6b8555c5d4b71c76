from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from recsys.core.errors import ConfigError, PromotionError
from recsys.store.database import database
from recsys.store.promotions import Action, Promotion, champions, history, previous_champion, record

AT = datetime(2025, 1, 1, 8, tzinfo=UTC)


def line(version: str, action: Action = "promote") -> Promotion:
    return Promotion("churn", action, version, False, "王芳", "更准", AT)


def test_the_ledger_keeps_lines_in_order_and_whole(engine: Engine) -> None:
    applied: list[str] = []
    for version in ("1", "2"):
        record(engine, line(version), lambda version=version: applied.append(version))  # type: ignore[misc]
    assert history(engine, "churn") == (line("1"), line("2"))
    assert history(engine, "repurchase") == ()
    assert applied == ["1", "2"]


def test_a_line_that_cannot_be_carried_out_is_not_kept(engine: Engine) -> None:
    def fail() -> None:
        raise RuntimeError("registry is away")

    with pytest.raises(RuntimeError):
        record(engine, line("1"), fail)
    assert history(engine, "churn") == ()


def test_rollbacks_walk_back_through_the_champions(engine: Engine) -> None:
    for version in ("1", "2", "3"):
        record(engine, line(version), lambda: None)
    assert previous_champion(engine, "churn") == "2"
    record(engine, line("2", "rollback"), lambda: None)
    assert champions(history(engine, "churn")) == ("1", "2")
    assert previous_champion(engine, "churn") == "1"
    record(engine, line("1", "rollback"), lambda: None)
    with pytest.raises(PromotionError, match="no earlier champion"):
        previous_champion(engine, "churn")


def test_sqlite_runs_in_wal_mode_with_full_durability(tmp_path: Path) -> None:
    with database(f"sqlite:///{tmp_path / 'store.db'}") as engine, engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("nonsense", "no SQLAlchemy URL"),
        ("", "no SQLAlchemy URL"),
        ("klingon://u:s3cret@host/shop", "no SQLAlchemy URL"),
        ("postgresql://u:s3cret@host:port/shop", "no SQLAlchemy URL"),
        ("oracle+cx_oracle://u:s3cret@host/shop", "driver that is not installed: cx_Oracle"),
        ("postgresql+psycopg://u:s3cret@127.0.0.1:1/shop?password=s3cret", "postgresql database shop at 127.0.0.1"),
        ("sqlite:////proc/nowhere/store.db", "cannot be opened"),
    ],
)
def test_a_store_that_cannot_be_opened_is_refused_without_its_password(url: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught, database(url):
        pass
    assert caught.value.fields["setting"] == "RECSYS_DATABASE_URL"
    assert rule in str(caught.value)
    assert "s3cret" not in str(caught.value)
