"""The `firstbell` command: parse, call, print. A file for each group of commands."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from services.cli.uncollected import uncollected

COMMANDS = {
    "up": "stack:up",
    "serve": "serving:serve",
    "migrate": "stack:migrate",
    "doctor": "doctor:doctor",
    "demo": "made_up:demo",
    "simulate": "made_up:simulate",
    "evaluate": "made_up:evaluate",
    "backtest": "backtest:backtest",
    "docs": "governance:docs",
    "subject-access": "subject_access:subject_access",
    "token": "tokens:token_app",
    "dead-letters": "dead_letters:dead_app",
    "published": "published:published_app",
    "ledger": "ledger:ledger_app",
    "retention": "retention:retention_app",
    "policy": "policy:policy_app",
}
"""Each command's file here, and its function or group in it."""


class OnDemand(TyperGroup):
    """Imports a command's file when the command is called: a token need not wait for the rules."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        file, _, name = COMMANDS[cmd_name].partition(":")
        with uncollected():
            found = getattr(import_module(f"{__name__}.{file}"), name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer()
            alone.command(cmd_name)(found)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(cls=OnDemand, no_args_is_help=True, help="Early warning for school attendance.")


@app.callback()
def firstbell() -> None:
    """Early warning for school attendance."""
