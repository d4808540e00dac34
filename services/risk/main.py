"""The risk service: an app, its consumer and its relay."""

from fastapi import FastAPI

from libs.common.consumer import Consumer
from libs.common.events import CALENDAR, INVOLVEMENTS, JUDGEMENTS, REGISTERS, ROLL
from libs.common.outbox import Relay
from libs.common.retention import daily
from libs.common.service import Running, build
from libs.common.settings import ServiceSettings
from services.risk import api, areas_api, attendance_api
from services.risk.evaluate import Evaluator
from services.risk.figures import measuring
from services.risk.following import Follower
from services.risk.retention import erase
from services.risk.rule_settings import rules_in_force
from services.risk.watch import Watch, hours_of

READS = (CALENDAR, ROLL, INVOLVEMENTS, REGISTERS, JUDGEMENTS)
"""The topics that the service reads; in Kafka it may read no others (deploy/k8s)."""


def create_app(settings: ServiceSettings) -> FastAPI:
    """Build the service. Nothing but its rules is read until its lifespan starts.

    Raises:
        RulesRefused: the settings name rules, or a file of their parameters, that cannot be used.
    """
    description = "Turns registers into bells, each with its reasons."
    app = build("risk", description, settings, _run, measure=measuring(settings))
    app.state.evaluator = Evaluator(rules_in_force(settings))
    for part in (api, attendance_api, areas_api):
        app.include_router(part.router)
    return app


async def _run(app: FastAPI, running: Running) -> None:
    relay = Relay(app.state.database, app.state.log, app.state.traces)
    evaluator: Evaluator = app.state.evaluator
    consumer = Consumer(
        app.state.log,
        app.state.database,
        group="risk",
        topics=READS,
        handle=evaluator.handle,
        committed=relay.wake,
        rolled_back=evaluator.forget,
        traces=app.state.traces,
    )
    settings: ServiceSettings = app.state.settings
    watch = Watch(
        app.state.database,
        app.state.log,
        Evaluator(evaluator.rules),
        hours_of(settings),
        relay.wake,
    )
    app.state.watch = watch
    app.state.follower = Follower(app.state.database, relay.wake)
    running.start("relay", relay.run)
    running.start("consumer", consumer.run, consumer.is_stuck)
    running.start_later("watch", watch.run)
    running.start_later("following", app.state.follower.run)
    running.start("retention", daily(erase, app.state.database, settings))
