"""The notify service: an app, its consumer, its relay and its sender."""

from fastapi import FastAPI

from libs.common.consumer import Consumer
from libs.common.events import BELLS, ROLL
from libs.common.outbox import Relay
from libs.common.retention import daily
from libs.common.service import Running, build
from libs.common.settings import ServiceSettings
from services.notify import routing
from services.notify.api import router
from services.notify.bells import Notifier
from services.notify.checkpoints import Seal, Sealer
from services.notify.retention import erase
from services.notify.secrets import Vault
from services.notify.sender import Sender
from services.notify.sharing import Policies


def create_app(settings: ServiceSettings) -> FastAPI:
    """Build the service. Nothing is opened until its lifespan starts."""
    app = build("notify", "Decides who may know what of a bell, and tells them.", settings, _run)
    app.state.notifier = Notifier(routing.load(), Policies())
    app.include_router(router)
    return app


async def _run(app: FastAPI, running: Running) -> None:
    state = app.state
    state.vault = Vault(state.settings)
    state.seal = Seal(state.settings)
    state.relay = Relay(state.database, state.log)
    state.sender = Sender(state.settings, state.database, state.vault)
    consumer = Consumer(
        state.log,
        state.database,
        group="notify",
        topics=(ROLL, BELLS),
        handle=state.notifier.handle,
        committed=lambda: (state.relay.wake(), state.sender.wake())[0],
    )
    running.start("relay", state.relay.run)
    running.start("consumer", consumer.run)
    running.start("sender", state.sender.run)
    running.start("retention", daily(erase, state.database, state.settings))
    running.start("sealer", Sealer(state.settings, state.database, state.seal).run)
