"""Stock as the mall last told it: one row a product, numbered by the change that brought it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from recsys.store.database import Base
from recsys.store.events import MICROS, in_turn


class StockRow(Base):
    """The pieces left of one product; `told_at` in whole microseconds, `change` rises with every change of any."""

    __tablename__ = "stock"

    product_id: Mapped[str] = mapped_column(primary_key=True)
    pieces: Mapped[float]
    told_at: Mapped[int] = mapped_column(BigInteger)
    change: Mapped[int] = mapped_column(BigInteger, index=True)


@dataclass(frozen=True, slots=True)
class Stock:
    """Pieces left of a product, and when that was told (UTC seconds)."""

    product_id: str
    pieces: float
    told_at: float


def tell(connection: Connection, pieces: Mapping[str, float], at: float) -> int:
    """Set the stock of products within the connection's transaction; return the number of the change.

    What is told last holds. Until the transaction ends, nobody else can tell any.
    """
    in_turn(connection)
    change = last_change(connection) + 1
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(StockRow)
    told = {name: statement.excluded[name] for name in ("pieces", "told_at", "change")}
    micros = round(at * MICROS)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["product_id"], set_=told),
        [
            {"product_id": product_id, "pieces": left, "told_at": micros, "change": change}
            for product_id, left in sorted(pieces.items())
        ],
    )
    return change


def last_change(connection: Connection) -> int:
    """Return the number of the last change, 0 when there was none."""
    return connection.execute(select(func.max(StockRow.change))).scalar() or 0


def changed_after(connection: Connection, change: int) -> list[Stock]:
    """Return the products whose stock was told after a change, as it is now."""
    rows = connection.execute(
        select(StockRow.product_id, StockRow.pieces, StockRow.told_at)
        .where(StockRow.change > change)
        .order_by(StockRow.product_id)
    )
    return [Stock(product_id, pieces, told_at / MICROS) for product_id, pieces, told_at in rows]
