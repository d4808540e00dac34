"""The ways to receivers: a file each, behind one interface, and which of them there are here."""

from collections.abc import Callable, Mapping
from typing import Literal

from libs.common.service import event_log
from libs.common.settings import ServiceSettings
from services.notify.channels.channel import Channel
from services.notify.channels.feed import Feed
from services.notify.channels.webhook import Webhooks
from services.notify.secrets import Vault
from services.notify.vocabulary import ChannelKind

Open = Callable[[], Channel]


def channels_of(settings: ServiceSettings, vault: Vault) -> Mapping[ChannelKind, Open]:
    """Return what opens each kind of channel that these settings allow.

    E-mail goes by GOV.UK Notify where that has a template for it, else by SMTP.
    """
    found: dict[ChannelKind, Open] = {
        "webhook": lambda: Webhooks(settings, vault),
        "feed": lambda: Feed(event_log(settings)),
    }
    if settings.smtp_host is not None:
        found["email"] = lambda: _smtp(settings)
    if settings.govuk_notify_email_template is not None:
        found["email"] = lambda: _govuk_notify(settings, "email")
    if settings.govuk_notify_text_template is not None:
        found["text"] = lambda: _govuk_notify(settings, "text")
    return found


# Each client is a fiftieth to a tenth of a second of a start: only who uses it loads it.


def _smtp(settings: ServiceSettings) -> Channel:
    from services.notify.channels.smtp import Smtp

    return Smtp(settings)


def _govuk_notify(settings: ServiceSettings, kind: Literal["email", "text"]) -> Channel:
    from services.notify.channels.govuk_notify import GovukNotify

    return GovukNotify(settings, kind)
