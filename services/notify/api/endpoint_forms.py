"""An endpoint as its owner sends and sees it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.notify.vocabulary import ChannelKind, Name

SHOWN = (
    "id", "practitioner", "agency", "channel", "address", "thin", "verified_at", "paused_at",
    "disabled_at",
)  # fmt: skip


class EndpointIn(BaseModel):
    """Where to reach a practitioner, or an agency's system: one of the two."""

    model_config = ConfigDict(extra="forbid")

    practitioner: Name | None = None
    agency: Name | None = None
    channel: ChannelKind = Field(
        "webhook",
        description="`email` and `text` announce that there is something, and where to read it, as "
        "far as this installation has them. A `feed` is an agency's own Kafka topic.",
    )
    url: str | None = Field(
        None,
        max_length=2000,
        description="A webhook's.",
        examples=["https://cases.example.org/firstbell"],
    )
    address: str | None = Field(
        None,
        max_length=254,
        description="An e-mail address; for a text a number as +447700900123.",
    )
    thin: bool = Field(False, description="Send ids alone: what they are about is to be fetched.")


class EndpointOut(BaseModel):
    """An endpoint; `secret` is shown once."""

    id: UUID
    practitioner: str | None
    agency: str | None
    channel: ChannelKind
    address: str = Field(description="Where messages go; of a webhook the same as `url`.")
    url: str | None = None
    thin: bool
    secret: str | None = Field(None, description="A webhook's.")
    verified_at: datetime | None = Field(
        None, description="When its owner proved to receive there."
    )
    disabled_at: datetime | None = Field(
        None, description="When its receiver said that it is gone."
    )
    paused_at: datetime | None = Field(None, description="Since when its messages wait.")


def shown(row: Any, **changed: Any) -> EndpointOut:
    """Return an endpoint's row as its owner sees it, after a change."""
    fields = {name: getattr(row, name) for name in SHOWN} | changed
    url = row.address if row.channel == "webhook" else None
    return EndpointOut(url=url, **fields)
