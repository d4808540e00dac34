"""Migrations expand: a process of the version before goes on with the tables that they make.

One that contracts (drops, renames, demands a value that the version before does not give) says in
its `CONTRACTS` since which version nobody uses what goes.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIGRATIONS = sorted(ROOT.glob("services/*/migrations/versions/*.py"))
GONE = {"drop_column", "drop_table", "rename_table"}
SQL = re.compile(r"\b(DROP\s+(TABLE|COLUMN)|RENAME|SET\s+NOT\s+NULL)\b", re.IGNORECASE)


def says_null_never(call: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    never = isinstance(given.get("nullable"), ast.Constant) and not ast.literal_eval(
        given["nullable"]
    )
    return never and "server_default" not in given


def contracting(source: str) -> Iterator[str]:
    """Yield what of `upgrade` the version before would not survive."""
    (upgrade,) = (
        part
        for part in ast.parse(source).body
        if isinstance(part, ast.FunctionDef) and part.name == "upgrade"
    )
    for node in ast.walk(upgrade):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SQL.search(node.value)
        ):
            yield f"line {node.lineno}: {node.value.strip()}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, renamed = node.func.attr, any(k.arg == "new_column_name" for k in node.keywords)
        if name in GONE or (name == "alter_column" and (renamed or says_null_never(node))):
            yield f"line {node.lineno}: {name}"
        if name == "add_column":
            columns = [a for a in ast.walk(node) if isinstance(a, ast.Call) and a is not node]
            if any(says_null_never(column) for column in columns):
                yield f"line {node.lineno}: {name} that must have a value, without a default"


@pytest.mark.parametrize("file", MIGRATIONS, ids=lambda file: f"{file.parts[-4]}-{file.stem}")
def test_a_migration_expands_or_says_why_nobody_uses_what_goes(file: Path) -> None:
    source = file.read_text()
    marked = re.search(r"^CONTRACTS = ", source, re.MULTILINE)

    assert marked or list(contracting(source)) == []


@pytest.mark.parametrize(
    "step",
    [
        'op.drop_column("bell", "status")',
        'op.drop_table("bell")',
        'op.rename_table("bell", "bells")',
        'op.alter_column("bell", "status", new_column_name="state")',
        'op.alter_column("bell", "status", nullable=False)',
        'op.add_column("bell", sa.Column("why", sa.Text(), nullable=False))',
        'op.execute("ALTER TABLE bell ALTER COLUMN why SET NOT NULL")',
        'op.execute("ALTER TABLE bell DROP COLUMN why")',
    ],
)
def test_each_way_to_contract_is_found(step: str) -> None:
    assert list(contracting(f"def upgrade() -> None:\n    {step}\n"))


@pytest.mark.parametrize(
    "step",
    [
        'op.add_column("bell", sa.Column("why", sa.Text(), nullable=True))',
        'op.add_column("bell", sa.Column("n", sa.Integer(), nullable=False, server_default="0"))',
        'op.create_table("x", sa.Column("id", sa.Integer(), nullable=False))',
        'op.execute("DROP POLICY tenant ON bell")',
    ],
)
def test_what_expands_is_let_through(step: str) -> None:
    assert list(contracting(f"def upgrade() -> None:\n    {step}\n")) == []
