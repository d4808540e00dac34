"""The notify service: an app, its consumer, its relay and its sender."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from libs.common.consumer import Consumer
from libs.common.events import BELLS, CALENDAR, FOLLOW_UPS, ROLL
from libs.common.outbox import Relay
from libs.common.retention import daily
from libs.common.service import Running, build
from libs.common.settings import ServiceSettings
from services.notify import (
    alert_store,
    approvals,
    directory_store,
    escalating,
    holding,
    holding_store,
    late,
    life_store,
    sharing_rules,
    undelivered,
)
from services.notify.api import ROUTERS
from services.notify.bells import Notifier
from services.notify.channels import channels_of
from services.notify.checkpoints import Seal, Sealer
from services.notify.figures import measure
from services.notify.lookup import Lookup
from services.notify.receipts import Receipts
from services.notify.retelling import decide_again
from services.notify.retention import erase
from services.notify.rounds import Due, Round, Take
from services.notify.secrets import Vault
from services.notify.sender import Sender
from services.notify.sharing_rules import SharingRules, Watcher

READS = (CALENDAR, ROLL, BELLS, FOLLOW_UPS)
"""The topics that the service reads; in Kafka it may read no others (deploy/k8s)."""
ROUNDS: Mapping[str, tuple[Due, Take]] = {
    "approvals": (alert_store.bells_overdue, approvals.ask_further),
    "escalations": (life_store.bells_unanswered, escalating.pass_on),
    "held": (holding_store.alerts_due, holding.let_go),
    "undelivered": (undelivered.overdue, undelivered.end),
    "late": (late.endpoints_late, late.tell_others),
}
"""What is due by the clock, and what is done then."""


def create_app(settings: ServiceSettings) -> FastAPI:
    """Build the service. Nothing is opened until its lifespan starts."""
    description = "Decides who may know what of a bell, and tells them."
    app = build("notify", description, settings, _run, measure=measure)
    app.state.notifier = Notifier(sharing_rules.load(settings.agreement))
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    return app


async def _run(app: FastAPI, running: Running) -> None:
    state = app.state
    state.vault = Vault(state.settings)
    state.lookup = Lookup()
    state.channels = channels_of(state.settings, state.vault)
    state.seal = Seal(state.settings)
    state.relay = Relay(state.database, state.log, state.traces)
    state.sender = Sender(
        state.settings,
        state.database,
        lambda: {kind: open_() for kind, open_ in state.channels.items()},
        lambda db, rows: decide_again(db, state.notifier.rules, state.notifier.now(), rows),
        state.traces,
    )
    consumer = Consumer(
        state.log,
        state.database,
        group="notify",
        topics=READS,
        handle=state.notifier.handle,
        committed=lambda: (state.relay.wake(), state.sender.wake())[0],
        traces=state.traces,
    )
    state.watcher = Watcher(state.settings.agreement, lambda rules: _take_rules(state, rules))
    state.rounds = {
        name: Round(
            state.database,
            rules=lambda: state.notifier.rules,
            wake=state.sender.wake,
            now=lambda: state.notifier.now(),
            due=due,
            take=take,
        )
        for name, (due, take) in ROUNDS.items()
    }
    state.receipts = Receipts(state.settings, state.database, state.sender.wake)
    running.start("rules", state.watcher.run)
    running.start("relay", state.relay.run)
    running.start("consumer", consumer.run, consumer.is_stuck)
    running.start("sender", state.sender.run)
    for name, round in state.rounds.items():
        running.start_later(name, round.run)
    if state.receipts.kinds:
        running.start_later("receipts", state.receipts.run)
    running.start("retention", daily(erase, state.database, state.settings))
    running.start("sealer", Sealer(state.settings, state.database, state.seal).run)


async def _take_rules(state: Any, rules: SharingRules) -> None:
    if rules.agencies:
        async with state.database.transaction() as db:
            added = [agency.model_dump(mode="json") for agency in rules.agencies]
            await directory_store.save_agencies(db, added)
    state.notifier.rules = rules
