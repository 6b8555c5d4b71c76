"""The ledger of promotions, keys, events and stock, as stores had them before revisions were kept."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing; what such a store has already is just like it."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_promotions_task", "promotions", ["task"], if_not_exists=True)
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("per_second", sa.Double),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "events",
        sa.Column("number", number, primary_key=True),
        sa.Column("event_id", sa.String, nullable=False, unique=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.String)
            for name in (
                "member_id",
                "anonymous_id",
                "product_id",
                "query",
                "placement",
                "recommendation_id",
                "order_id",
            )
        ),
        sa.Column("quantity", sa.Double),
        sa.Column("amount", sa.Double),
        if_not_exists=True,
    )
    op.create_table(
        "stock",
        sa.Column("product_id", sa.String, primary_key=True),
        sa.Column("pieces", sa.Double, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_stock_change", "stock", ["change"], if_not_exists=True)
