"""The rival: the plain design, a pydantic body, an ORM row a mark, a transaction a register.

It checks what our service checks of a mark: the UPN's form and check letter, and the code.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated

import uvicorn
from fastapi import FastAPI
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.codes import NUMBERS
from libs.common.identifiers import check_letter


class Base(DeclarativeBase):
    """Tables of the plain design."""


class MarkRow(Base):
    """One mark."""

    __tablename__ = "plain_mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    urn: Mapped[str] = mapped_column(String(6))
    day: Mapped[date]
    session: Mapped[str] = mapped_column(String(2))
    upn: Mapped[str] = mapped_column(String(13))
    code: Mapped[str] = mapped_column(String(2))


class OutboxRow(Base):
    """One event, with the whole register."""

    __tablename__ = "plain_outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]


def _upn(value: str) -> str:
    if check_letter(value[1:]) != value[0]:
        raise ValueError("check letter")
    return value


def _code(value: str) -> str:
    if value not in NUMBERS:
        raise ValueError("code")
    return value


class Mark(BaseModel):
    """A mark as it is sent."""

    upn: Annotated[str, Field(min_length=13, max_length=13), AfterValidator(_upn)]
    code: Annotated[str, AfterValidator(_code)]


class Register(BaseModel):
    """A register as it is sent."""

    marks: list[Mark]


URL = os.environ["PLAIN_URL"]
PATIENCE = {"timeout": 60} if URL.startswith("sqlite") else {}
engine = create_async_engine(URL, connect_args=PATIENCE)
make_session = async_sessionmaker(engine)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    async with engine.begin() as db:
        if engine.dialect.name == "sqlite":
            await db.exec_driver_sql("PRAGMA journal_mode=WAL")
        await db.run_sync(Base.metadata.drop_all)
        await db.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


@app.put("/ingest/v1/schools/{urn}/registers/{day}/{session}", status_code=202)
async def put_register(urn: str, day: date, session: str, register: Register) -> dict[str, int]:
    """Keep a register."""
    async with make_session() as db, db.begin():
        _add(db, urn, day, session, register)
    return {"accepted": len(register.marks)}


@app.get("/ingest/v1/schools/{urn}/registers/{day}/{session}")
async def get_register(urn: str, day: date, session: str) -> dict[str, list[dict[str, str]]]:
    """Read a register as it was kept."""
    key = (MarkRow.urn == urn, MarkRow.day == day, MarkRow.session == session)
    async with make_session() as db:
        rows = (await db.scalars(select(MarkRow).where(*key))).all()
    return {"marks": [{"upn": row.upn, "code": row.code} for row in rows]}


def _add(db: AsyncSession, urn: str, day: date, session: str, register: Register) -> None:
    for mark in register.marks:
        db.add(MarkRow(urn=urn, day=day, session=session, upn=mark.upn, code=mark.code))
    db.add(OutboxRow(body=json.dumps(register.model_dump())))


if __name__ == "__main__":
    port = int(os.environ["PLAIN_PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
