"""The ledger's chain, on a real database that somebody with the database changes."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import ledger
from services.notify.checkpoints import Seal, Sealer, file_of
from services.notify.ledger import Link
from services.notify.proof import Bad, Verdict, prove
from services.notify.tables import Base
from tests.unit import databases

RECORDS = 5


def record(number: int) -> dict[str, Any]:
    return {
        "id": str(UUID(int=number)),
        "upn": f"B80120000500{number}",
        "recipient": "zoë",
        "decision": "shared",
        "fields": ["name"],
    }


@pytest.fixture(params=databases.BOTH)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with databases.fresh(request.param, tmp_path, Base.metadata) as database:
        yield database


@pytest.fixture
def sealer(database: Database, settings: ServiceSettings) -> Sealer:
    return Sealer(settings, database, Seal(settings))


@pytest.fixture
async def kept(database: Database, sealer: Sealer) -> Database:
    """Five records in three appends, with checkpoints of the first two and of all."""
    await append(database, 1, 2)
    await sealer.make()
    await append(database)
    await append(database, *range(3, RECORDS + 1))
    await sealer.make()
    await sealer.make()
    return database


async def append(database: Database, *numbers: int) -> None:
    async with database.transaction() as db:
        await ledger.append(db, [record(number) for number in numbers])


async def change(database: Database, statements: Sequence[str]) -> None:
    async with database.transaction() as db:
        for statement in statements:
            await db.execute(text(statement))


async def proved(
    database: Database, settings: ServiceSettings, file: Path | None = None
) -> Verdict:
    return await prove(database, Seal(settings), file)


async def first_bad(database: Database, settings: ServiceSettings) -> int | None:
    bad = (await proved(database, settings, file_of(settings))).bad
    return bad and bad.first


async def test_a_ledger_that_nobody_touched_is_whole(
    kept: Database, settings: ServiceSettings
) -> None:
    assert await proved(kept, settings, file_of(settings)) == Verdict(None, RECORDS, 2)
    async with kept.reading() as db:
        rows = (await db.execute(text("SELECT * FROM disclosure ORDER BY sequence"))).all()
    assert [row.sequence for row in rows] == list(range(1, RECORDS + 1))
    assert rows[0].previous_hash == ledger.START
    assert [row.previous_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]


async def test_an_empty_ledger_is_whole(database: Database, settings: ServiceSettings) -> None:
    assert await proved(database, settings) == Verdict(None, 0, 0)


CONTENT, CHAIN, SEAL = "disclosure_content", "disclosure", "ledger_checkpoint"
NAMES = {
    CHAIN: "at, content_hash, erases_to, previous_hash, hash",
    CONTENT: "id, upn, salt, record",
    SEAL: "records, head, at, key, signature",
}


def renumbered(table: str, first: int, second: int, key: str = "sequence") -> list[str]:
    """Return what makes two rows change places."""
    update = f"UPDATE {table} SET {key} = {{}} WHERE {key} = {{}}"
    return [update.format(99, first), update.format(first, second), update.format(second, 99)]


def copied(table: str, place: int, key: str = "sequence", source: int = 2) -> str:
    names = NAMES[table]
    return f"INSERT INTO {table} ({key}, {names}) SELECT {place}, {names} FROM {table} WHERE {key} = {source}"  # noqa: E501


SAID = "replace(CAST(record AS TEXT), 'shared', 'withheld')"
SPOILT = "UPDATE disclosure_content SET record = '{}' WHERE sequence = 2"


@pytest.mark.parametrize(
    ("statements", "bad"),
    [
        (["UPDATE disclosure_content SET upn = 'P207000016049' WHERE sequence = 4"], 4),
        (["UPDATE disclosure_content SET upn = NULL WHERE sequence = 4"], 4),
        (["UPDATE disclosure_content SET salt = 'ff' WHERE sequence = 3"], 3),
        (["UPDATE disclosure_content SET salt = 'no hex' WHERE sequence = 3"], 3),
        ([SPOILT], 2),
        ([SPOILT.replace("{}", "null")], 2),
        (["UPDATE disclosure SET content_hash = hash WHERE sequence = 3"], 3),
        (["UPDATE disclosure SET at = '2020-01-01T00:00:00.000000+00:00' WHERE sequence = 1"], 1),
        (["UPDATE disclosure SET erases_to = 2 WHERE sequence = 5"], 5),
        (["UPDATE disclosure SET hash = previous_hash WHERE sequence = 3"], 3),
        (["UPDATE disclosure SET hash = previous_hash WHERE sequence = 5"], 5),
        (["UPDATE disclosure SET previous_hash = hash WHERE sequence = 3"], 3),
        *([[f"DELETE FROM disclosure WHERE sequence = {n}"], n] for n in range(1, RECORDS + 1)),
        *([[f"DELETE FROM {t} WHERE sequence = {n}" for t in (CHAIN, CONTENT)], n]
          for n in range(1, RECORDS + 1)),
        *([[f"DELETE FROM disclosure_content WHERE sequence = {n}"], n]
          for n in range(1, RECORDS + 1)),
        (["DELETE FROM disclosure WHERE sequence < 5"], 1),
        (["DELETE FROM disclosure", "DELETE FROM disclosure_content"], 1),
        (["DELETE FROM disclosure", "DELETE FROM disclosure_content",
          "DELETE FROM ledger_checkpoint"], 1),
        (["DELETE FROM disclosure WHERE sequence = 3",
          "UPDATE disclosure SET sequence = 3 WHERE sequence = 4"], 3),
        ([copied(CHAIN, 6)], 6),
        ([copied(CHAIN, 0)], 1),
        ([copied(CHAIN, -7)], 1),
        ([copied(CONTENT, 6)], 6),
        ([copied(CONTENT, 0)], 0),
        (renumbered(CHAIN, 2, 4), 2),
        (renumbered(CONTENT, 2, 4), 2),
        (renumbered(CHAIN, 1, 5), 1),
        (["UPDATE ledger_checkpoint SET records = 4 WHERE number = 1"], 1),
        (["UPDATE ledger_checkpoint SET records = 4 WHERE number = 2"], 3),
        (["UPDATE ledger_checkpoint SET records = 9 WHERE number = 2"], 6),
        (["UPDATE ledger_checkpoint SET records = 0 WHERE number = 1"], 1),
        (["UPDATE ledger_checkpoint SET head = 'f' WHERE number = 2"], 3),
        (["UPDATE ledger_checkpoint SET at = 'now' WHERE number = 2"], 3),
        (["UPDATE ledger_checkpoint SET key = 'ours' WHERE number = 2"], 3),
        (["UPDATE ledger_checkpoint SET signature = 'f' WHERE number = 2"], 3),
        (["DELETE FROM ledger_checkpoint WHERE number = 1"], 1),
        (["DELETE FROM ledger_checkpoint WHERE number = 2"], 3),
        (["DELETE FROM ledger_checkpoint"], 1),
        (renumbered(SEAL, 1, 2, "number"), 1),
        ([copied(SEAL, 3, "number").replace("SELECT 3, records", "SELECT 3, 4")], 3),
        ([copied(SEAL, 3, "number").replace("SELECT 3, records", "SELECT 3, 7")], 6),
    ],
)  # fmt: skip
async def test_the_first_record_that_was_touched_is_named(
    kept: Database, settings: ServiceSettings, statements: list[str], bad: int
) -> None:
    await change(kept, statements)

    assert await first_bad(kept, settings) == bad


@pytest.mark.parametrize(
    "said", ["replace(CAST(record AS TEXT), 'shared', 'withheld')", "'not JSON'", "''"]
)
async def test_words_that_were_changed_are_named(
    kept: Database, settings: ServiceSettings, said: str
) -> None:
    if not kept.is_sqlite:
        await change(kept, ["ALTER TABLE disclosure_content ALTER record TYPE text"])

    await change(kept, [f"UPDATE disclosure_content SET record = {said} WHERE sequence = 3"])

    assert await first_bad(kept, settings) == 3


async def test_a_ledger_without_its_last_record_is_not_whole(
    kept: Database, settings: ServiceSettings
) -> None:
    await change(
        kept,
        [f"DELETE FROM {table} WHERE sequence = {RECORDS}" for table in (CHAIN, CONTENT)],
    )

    verdict = await proved(kept, settings)

    assert verdict.bad == Bad(RECORDS, "a checkpoint knows 5 records: those after 4 are gone")


async def rewrite(database: Database, first: int) -> None:
    """Make a new chain from a record on, with right hashes: who can do so knows the code."""
    async with database.transaction() as db:
        query = f"SELECT * FROM disclosure WHERE sequence >= {first} ORDER BY sequence"
        previous = await db.scalar(
            text(f"SELECT hash FROM disclosure WHERE sequence = {first - 1}")
        )
        for row in (await db.execute(text(query))).all():
            forged = {**record(row.sequence), "decision": "withheld"}
            hashed = ledger.content_hash_of("00" * 16, forged)
            link = Link(row.sequence, previous or ledger.START, row.at, hashed, None)
            previous = ledger.hash_of(link)
            values = {**link._asdict(), "hash": previous, "record": json.dumps(forged)}
            await db.execute(
                text(
                    "UPDATE disclosure SET content_hash = :content_hash, hash = :hash, "
                    "previous_hash = :previous_hash WHERE sequence = :sequence"
                ),
                {name: values[name] for name in (*NAMES[CHAIN].split(", ")[1::2], "hash",
                                                 "content_hash", "previous_hash", "sequence")
                 if name != "erases_to"},
            )  # fmt: skip
            statement = (
                "UPDATE disclosure_content SET record = CAST(:record AS JSON), "
                f"salt = '{'00' * 16}' WHERE sequence = :sequence"
            )
            if database.is_sqlite:
                statement = statement.replace("CAST(:record AS JSON)", ":record")
            said = {name: values[name] for name in ("record", "sequence")}
            await db.execute(text(statement), said)


@pytest.mark.parametrize(("first", "bad"), [(1, 1), (2, 1), (3, 3), (5, 3)])
async def test_a_chain_made_anew_is_found_by_its_checkpoints(
    kept: Database, settings: ServiceSettings, first: int, bad: int
) -> None:
    await rewrite(kept, first)

    assert await first_bad(kept, settings) == bad


async def test_a_chain_made_anew_without_its_checkpoints_is_found_by_the_file(
    kept: Database, settings: ServiceSettings
) -> None:
    await rewrite(kept, 3)
    await change(kept, ["DELETE FROM ledger_checkpoint WHERE number = 2"])

    assert await proved(kept, settings) == Verdict(None, RECORDS, 1)
    verdict = await proved(kept, settings, file_of(settings))

    told = "the records up to 5 are not those of the file's checkpoint 2"
    assert verdict.bad == Bad(3, told)


async def test_a_checkpoint_signed_by_another_key_does_not_hold(
    kept: Database, settings: ServiceSettings, tmp_path: Path
) -> None:
    other = settings.model_copy(update={"data_dir": tmp_path / "other"})
    await rewrite(kept, 5)
    await change(kept, ["DELETE FROM ledger_checkpoint WHERE number = 2"])
    await Sealer(other, kept, Seal(other)).make()

    verdict = await proved(kept, settings)

    assert verdict.bad == Bad(3, "checkpoint 2 does not bear our signature")


async def test_a_changed_line_of_the_file_is_named(
    kept: Database, settings: ServiceSettings
) -> None:
    file = file_of(settings)
    first, second = file.read_text().splitlines()
    file.write_text(f'{first}\n{second.replace("number", "size")}\n{{"half a li\n')

    assert await first_bad(kept, settings) == 3

    file.write_text(f"{first}\n{second}\n" + '{"half a li')
    assert await first_bad(kept, settings) is None


async def test_a_ledger_that_was_cut_off_is_not_sealed_anew(
    kept: Database, settings: ServiceSettings, sealer: Sealer
) -> None:
    await change(kept, ["DELETE FROM disclosure WHERE sequence > 3"])
    await change(kept, ["DELETE FROM disclosure_content WHERE sequence > 3"])

    await sealer.make()

    assert await first_bad(kept, settings) == 4


async def test_contents_erased_after_their_time_leave_the_ledger_whole(
    kept: Database, settings: ServiceSettings, sealer: Sealer
) -> None:
    async with kept.transaction() as db:
        erased = await ledger.erase_before(db, utc_now() + timedelta(seconds=1))
        again = await ledger.erase_before(db, utc_now() - timedelta(days=1))
    await sealer.make()

    assert (erased, again) == (4, 0)
    assert await proved(kept, settings, file_of(settings)) == Verdict(None, RECORDS + 1, 3)
    async with kept.reading() as db:
        (last, erasure) = (await db.execute(ledger.entries())).all()
    assert last.record == record(5)
    assert (erasure.record["decision"], erasure.sequence) == ("erased", 6)


async def test_contents_erased_by_hand_are_named_though_others_were_erased_after_their_time(
    kept: Database, settings: ServiceSettings
) -> None:
    async with kept.transaction() as db:
        await ledger.erase_before(db, utc_now() + timedelta(seconds=1))

    await change(kept, ["DELETE FROM disclosure_content WHERE sequence = 5"])

    assert await first_bad(kept, settings) == 5


def test_the_hash_covers_place_forerunner_time_content_and_erasure() -> None:
    link = Link(1, ledger.START, "2026-09-14T08:50:00.000000+00:00", "a" * 64)
    others = [
        link._replace(sequence=2), link._replace(previous_hash="f" * 64), link._replace(at=""),
        link._replace(content_hash="b" * 64), link._replace(erases_to=0),
    ]  # fmt: skip

    assert ledger.hash_of(link) not in {ledger.hash_of(other) for other in others}


def test_the_content_hash_covers_the_salt_and_every_word_in_whatever_order() -> None:
    right = ledger.content_hash_of("00", record(1))

    assert right == ledger.content_hash_of("00", dict(reversed(record(1).items())))
    assert right != ledger.content_hash_of("01", record(1))
    assert right != ledger.content_hash_of("00", {**record(1), "recipient": "zoe"})
