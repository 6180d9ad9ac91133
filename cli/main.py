"""The `weir` command: one small module a theme, put together here."""

import typer

from cli.aggregate import aggregate_events
from cli.api import api
from cli.builds import builds
from cli.demo.command import demo
from cli.dev import dev
from cli.events import events
from cli.explain import explain
from cli.keys import keys
from cli.migrate import migrate
from cli.periods import periods
from cli.plans import plans
from cli.rate import rate
from cli.repair import repair
from cli.running import leave
from cli.simulate import simulate
from cli.worker import worker

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def weir() -> None:
    """Usage-based billing where every subscription is one durable workflow."""


app.command("demo")(demo)
app.command("dev")(dev)
app.command("api")(api)
app.command("worker")(worker)
app.command("repair")(repair)
app.command("explain")(explain)
app.add_typer(builds, name="builds")
app.add_typer(keys, name="keys")
app.add_typer(events, name="events")
app.add_typer(plans, name="plans")
app.command("migrate")(migrate)
app.command("periods")(periods)
app.command("aggregate")(aggregate_events)
app.command("rate")(rate)
app.command("simulate")(simulate)


def run() -> None:
    try:
        app()
    except SystemExit as ending:
        leave(ending.code if isinstance(ending.code, int) else 0)
