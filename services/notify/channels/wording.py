"""Pure: what e-mails and texts say: that there is something, and where. Never about whom, or what.

They pass through others' hands and lie in inboxes, so they bear no personal data: who opens the
link has to show who they are, and what they then see is decided and recorded as every reading is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.notify.messages import DIGEST, parts_of

NO_DATA = "This message holds no personal data: sign in to read what it is about."
CHALLENGE = "endpoint.challenge"
CHANGED = {
    "alert.raised": "There is a new alert for you.",
    "alert.escalated": "An alert of yours has become more pressing.",
    "alert.cleared": "An alert of yours has ended.",
    "alert.withdrawn": "An alert of yours is withdrawn: it should not have been raised.",
    "endpoint.test": "This is a test. Alerts will reach you here.",
    "delivery.late": "Messages to another of your endpoints do not arrive. See your alerts.",
    "delivery.failed": "A message to another of your endpoints did not arrive. See your alerts.",
}
"""By a message's type, the sentence that tells of it."""


class Words(NamedTuple):
    """A subject, and what stands below it; a text has no subject."""

    subject: str
    body: str


def words_of(message: Mapping[str, Any], base: str) -> Words:
    """Return what a message says to a person.

    Args:
        message: its body, with ids alone.
        base: where Firstbell is; links begin with it.
    """
    calls = f"{base.rstrip('/')}/notify/v1"
    if message["type"] == CHALLENGE:
        return _challenge(message["data"], calls)
    sentence = _sentence(message)
    return Words(f"Firstbell: {sentence}", f"{sentence}\n\n{_link(message, calls)}\n\n{NO_DATA}\n")


def _sentence(message: Mapping[str, Any]) -> str:
    if message["type"] == DIGEST:
        return f"There are {len(parts_of(message))} alerts for you."
    return CHANGED.get(message["type"], "There is something new for you.")


def _link(message: Mapping[str, Any], calls: str) -> str:
    parts = parts_of(message)
    one = f"/{parts[0]['alert']}" if len(parts) == 1 else ""
    return f"{calls}/alerts{one}"


def _challenge(data: Mapping[str, Any], calls: str) -> Words:
    body = (
        f"Code: {data['challenge']}\n\n"
        "Somebody wants alerts of Firstbell to be announced at this address. If that is you, "
        f"confirm it with this code within a day:\n\n{calls}/endpoints/{data['endpoint']}/verify"
        "\n\nIf it is not, do nothing, and you will hear no more.\n"
    )
    return Words("Firstbell: confirm this address", body)
