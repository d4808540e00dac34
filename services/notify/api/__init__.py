"""Notify's routes."""

from services.notify.api import (
    alerts,
    approvals,
    deliveries,
    directory,
    disclosures,
    endpoints,
    impact,
    involvements,
    preferences,
    record,
    restrictions,
    sharing,
    silences,
    standing_in,
    verifying,
)

ROUTERS = tuple(
    part.router
    for part in (
        directory, involvements, restrictions, endpoints, verifying, deliveries, alerts, approvals,
        sharing, disclosures, record, silences, standing_in, preferences, impact,
    )
)  # fmt: skip
