from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from recsys.core.errors import PromotionError
from recsys.store.database import Base

Action = Literal["promote", "rollback"]


class PromotionRow(Base):
    """One line of the ledger as it is stored; lines are only ever added."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(index=True)
    action: Mapped[str]
    version: Mapped[str]
    forced: Mapped[bool]
    who: Mapped[str]
    why: Mapped[str]
    at: Mapped[datetime]


@dataclass(frozen=True)
class Promotion:
    """Who made which version the champion, when and why; `version` is the champion after this line."""

    task: str
    action: Action
    version: str
    forced: bool
    who: str
    why: str
    at: datetime


def history(engine: Engine, task: str) -> tuple[Promotion, ...]:
    """Return the ledger of a task, oldest line first."""
    with Session(engine) as session:
        rows = session.scalars(select(PromotionRow).where(PromotionRow.task == task).order_by(PromotionRow.id)).all()
        return tuple(
            Promotion(
                row.task,
                "promote" if row.action == "promote" else "rollback",
                row.version,
                row.forced,
                row.who,
                row.why,
                row.at.replace(tzinfo=UTC),
            )
            for row in rows
        )


def champions(ledger: tuple[Promotion, ...]) -> tuple[str, ...]:
    """Return the champions still standing, the present one last: a promotion adds one, a rollback takes one."""
    stack: list[str] = []
    for line in ledger:
        if line.action == "promote":
            stack.append(line.version)
        elif stack:
            stack.pop()
    return tuple(stack)


def record(engine: Engine, promotion: Promotion, apply: Callable[[], None]) -> None:
    """Add a line and carry it out: when `apply` raises, the line is not kept."""
    with Session(engine) as session, session.begin():
        session.add(
            PromotionRow(
                task=promotion.task,
                action=promotion.action,
                version=promotion.version,
                forced=promotion.forced,
                who=promotion.who,
                why=promotion.why,
                at=promotion.at.astimezone(UTC).replace(tzinfo=None),
            )
        )
        session.flush()
        apply()


def previous_champion(engine: Engine, task: str) -> str:
    """Return the version that a rollback would bring back; `PromotionError` when there is none."""
    standing = champions(history(engine, task))
    if len(standing) < 2:
        raise PromotionError(task, standing[-1] if standing else "none", "there is no earlier champion to go back to")
    return standing[-2]
