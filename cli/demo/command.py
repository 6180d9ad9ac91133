"""`weir demo`: everything from nothing, a month in a minute, then there to be looked at."""

from typing import Annotated

import typer

from cli.running import run


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when the month is over.")] = False,
) -> None:
    """Run a month of a small AI company on a test clock: usage, invoices, credits, a declined card collected later."""
    run(lambda: _demo(once))


async def _demo(once: bool) -> None:
    from rich.console import Console

    from cli.demo.tell import tell
    from cli.stack.embedded import Ports
    from cli.stack.throwaway import throwaway

    console = Console(highlight=False)
    console.print("starting PostgreSQL, Temporal, the payment sandbox, the worker and the API ...")
    async with throwaway("demo", Ports(temporal_ui=0)) as stack:
        told = await tell(stack.client, stack.sandbox, console)
        life = f"{stack.temporal_ui}/namespaces/default/workflows/{told.subscriptions['globex']}"
        console.print("\n[bold]Look around[/bold]")
        console.print(f"  API reference   {stack.weir.url}/docs")
        console.print(f"  Temporal UI     {stack.temporal_ui}")
        console.print(f"  a subscription  {life}", soft_wrap=True)
        console.print(f"  API key         {stack.key}", soft_wrap=True)
        if not once:
            console.print("Ctrl-C ends it, and its data.")
            await stack.weir.watch()
