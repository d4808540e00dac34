"""A made-up local authority: a year of registers from a seed, like England's in its figures."""

from libs.simulator.authority import Authority, School, simulate
from libs.simulator.events import Event
from libs.simulator.marks import Register
from libs.simulator.patterns import Episode
from libs.simulator.worlds import TRIAL, USUAL, World

__all__ = [
    "TRIAL",
    "USUAL",
    "Authority",
    "Episode",
    "Event",
    "Register",
    "School",
    "World",
    "simulate",
]
