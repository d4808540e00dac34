"""What is due is found by its state and its time.

Why: SQLite took the index of states alone for the question whether an earlier message to the same
endpoint is pending, and read every pending message for each one: ten seconds for 10,000 of them.
"""

from alembic import op

revision = "20261203_due"
down_revision = "20261202_in_whose_hand"


def upgrade() -> None:
    op.create_index("ix_delivery_due", "delivery", ["state", "next_attempt_at"])
    op.drop_index(op.f("ix_delivery_state"), "delivery")


def downgrade() -> None:
    op.create_index(op.f("ix_delivery_state"), "delivery", ["state"])
    op.drop_index("ix_delivery_due", "delivery")
