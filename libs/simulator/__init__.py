"""A made-up local authority: a year of registers from a seed, like England's in its figures."""

from libs.simulator.authority import Authority, School, simulate
from libs.simulator.marks import Register
from libs.simulator.patterns import Episode

__all__ = ["Authority", "Episode", "Register", "School", "simulate"]
