"""How soon each service serves after `kill -9`: `python -m tests.torture.starts`."""

import shutil

import typer

from tests.torture.house import SERVICES, House, new_folder
from tests.torture.settling import wait_until
from tests.torture.verdict import Verdict, judge_restarts


def main(times: int = 10) -> None:
    """Kill one service after the other, so many times each; it serves before the next is killed."""
    folder = new_folder()
    house, verdict = House(folder), Verdict()
    try:
        house.start()
        for victim in SERVICES * times:
            before = len(house.restarts)
            house.kill(victim)
            served = wait_until(lambda before=before: len(house.restarts) > before, 100)
            assert served is not None, f"{victim} does not serve"
        judge_restarts(verdict, house.restarts, house.exits, ())
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, figure in (verdict.figures | verdict.faults).items():
        typer.echo(f"{name:28} {figure}")


if __name__ == "__main__":
    typer.run(main)
