"""The ledger in two tables, its checkpoints, and triggers that keep it as it was written.

Why: what a record says must be erased after its time and the chain must still hold, so the chain
binds a salted hash of it; a checkpoint shows if the last records are taken away. Records that are
there already are hashed anew, once they are found to be whole.
"""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261124_ledger"
down_revision = "20261124_sharing"
CONTRACTS = "Nobody ran a version before it: the first release has it."

KEPT = {
    "disclosure": ("UPDATE", "DELETE"),
    "disclosure_content": ("UPDATE",),
    "ledger_checkpoint": ("UPDATE", "DELETE"),
}
"""What nobody may do to each table's rows, not even by mistake."""
REFUSAL = "the ledger is only ever added to"
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    kept = _whole(op.get_bind())
    op.drop_table("disclosure")
    op.create_table(
        "disclosure",
        sa.Column("sequence", SERIAL, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("erases_to", sa.BigInteger(), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_disclosure")),
    )
    op.create_index(op.f("ix_disclosure_erases_to"), "disclosure", ["erases_to"])
    op.create_table(
        "disclosure_content",
        sa.Column("sequence", SERIAL, autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("upn", sa.String(length=13), nullable=True),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_disclosure_content")),
    )
    op.create_index(op.f("ix_disclosure_content_upn"), "disclosure_content", ["upn"])
    op.create_table(
        "ledger_checkpoint",
        sa.Column("number", SERIAL, autoincrement=False, nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_checkpoint")),
        sa.UniqueConstraint("records", name=op.f("uq_ledger_checkpoint_records")),
    )
    _chain(op.get_bind(), kept)
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def _whole(bind: sa.Connection) -> list[sa.Row[Any]]:
    """Return the records in their first form, as they were hashed."""
    query = "SELECT sequence, id, upn, record, previous_hash, hash FROM disclosure ORDER BY 1"
    rows = bind.execute(sa.text(query).columns(id=sa.Uuid(), record=sa.JSON())).all()
    expected, previous = 1, "0" * 64
    for row in rows:
        told = _canonical([row.sequence, row.previous_hash, row.record])
        right = (row.sequence, row.previous_hash) == (expected, previous)
        if not right or row.hash != hashlib.sha256(told).hexdigest():
            raise ValueError(f"the ledger is not whole: see record {expected}; not migrated")
        expected, previous = expected + 1, row.hash
    return list(rows)


def _chain(bind: sa.Connection, rows: list[sa.Row[Any]]) -> None:
    link = sa.table(
        "disclosure",
        *map(sa.column, ("sequence", "at", "content_hash", "erases_to", "previous_hash", "hash")),
    )
    content = sa.table(
        "disclosure_content",
        *(sa.column("sequence"), sa.column("id", sa.Uuid()), sa.column("upn")),
        *(sa.column("salt"), sa.column("record", sa.JSON())),
    )
    previous = "0" * 64
    for row in rows:
        salt = secrets.token_hex(16)
        decided = datetime.fromisoformat(row.record["decided_at"]).astimezone(UTC)
        at = decided.isoformat(timespec="microseconds")
        hashed = hashlib.sha256(bytes.fromhex(salt) + _canonical(row.record)).hexdigest()
        told = _canonical([row.sequence, previous, at, hashed, None])
        own = hashlib.sha256(told).hexdigest()
        values = {"previous_hash": previous, "hash": own, "erases_to": None}
        named = {"sequence": row.sequence, "at": at, "content_hash": hashed}
        bind.execute(sa.insert(link).values(**named, **values))
        said = {"id": row.id, "upn": row.upn, "record": row.record}
        bind.execute(sa.insert(content).values(sequence=row.sequence, salt=salt, **said))
        previous = own


def _guard_postgres() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE FUNCTION ledger_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF OLD.sequence > coalesce((SELECT max(erases_to) FROM {_schema()}disclosure), 0) "
        f"THEN RAISE EXCEPTION '{REFUSAL}'; END IF; RETURN OLD; END $$"
    )
    for table, refused in KEPT.items():
        for kind, each in ((" OR ".join(refused), "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_kept_{each.lower()} BEFORE {kind} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION ledger_refuse()"
            )
    op.execute(
        "CREATE TRIGGER disclosure_content_erased BEFORE DELETE ON disclosure_content "
        "FOR EACH ROW EXECUTE FUNCTION ledger_erased()"
    )


def _schema() -> str:
    return str(op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))) + "."


def _guard_sqlite() -> None:
    for table, refused in KEPT.items():
        for kind in refused:
            op.execute(
                f"CREATE TRIGGER {table}_kept_{kind.lower()} BEFORE {kind} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
    op.execute(
        "CREATE TRIGGER disclosure_content_erased BEFORE DELETE ON disclosure_content "
        "WHEN OLD.sequence > coalesce((SELECT max(erases_to) FROM disclosure), 0) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM disclosure")):
        raise ValueError("a ledger that has records is not taken back")
    op.drop_table("ledger_checkpoint")
    op.drop_table("disclosure_content")
    op.drop_table("disclosure")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_refuse()")
        op.execute("DROP FUNCTION ledger_erased()")
    op.create_table(
        "disclosure",
        sa.Column("sequence", SERIAL, autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("upn", sa.String(length=13), nullable=True),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_disclosure")),
    )
    op.create_index(op.f("ix_disclosure_upn"), "disclosure", ["upn"])
