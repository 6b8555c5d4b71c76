"""Keys may end by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the time at which a key ends; none of those there are does."""
    op.add_column("keys", sa.Column("expires_at", sa.DateTime))
