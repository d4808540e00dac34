"""The `firstbell` command: parse, call, print. A file for each group of commands."""

import typer

from services.cli.backtest import backtest
from services.cli.dead_letters import dead_app
from services.cli.governance import docs
from services.cli.ledger import ledger_app
from services.cli.made_up import demo, evaluate, simulate
from services.cli.policy import policy_app
from services.cli.published import published_app
from services.cli.retention import retention_app
from services.cli.stack import migrate, serve, up
from services.cli.subject_access import subject_access
from services.cli.tokens import token_app

app = typer.Typer(no_args_is_help=True, help="Early warning for school attendance.")
for command in (up, serve, migrate, demo, simulate, evaluate, backtest, docs, subject_access):
    app.command()(command)
app.add_typer(token_app, name="token")
app.add_typer(dead_app, name="dead-letters")
app.add_typer(published_app, name="published")
app.add_typer(ledger_app, name="ledger")
app.add_typer(retention_app, name="retention")
app.add_typer(policy_app, name="policy")
