"""What is asked of a subscription, answered: with what it would bring, or with what it has brought."""

from fastapi.responses import Response

from api import documents, previews
from api.answers import answer, later
from api.auth import Caller
from api.choosing import Chosen
from api.connections import Connections
from api.requests import Sent, ask
from api.schemas.subscriptions import Asked
from db.subscriptions import find_subscription
from domain.commands import Command
from domain.documents import Document


async def asked(
    opened: Connections,
    caller: Caller,
    name: str,
    body: Asked,
    command: Command,
    to: Chosen | None = None,
) -> Response:
    """`to` is the version of a plan that the command names."""
    if body.preview:
        return answer(await previews.of_command(opened, caller, name, command, to))
    sent = await ask(opened, caller, name, command, body.reason)
    shown = await told(opened, caller, name, sent)
    return later(shown) if sent.answer is None else answer(shown)


async def told(opened: Connections, caller: Caller, name: str, sent: Sent) -> Document:
    """The subscription as a request has left it, and the documents that it brought."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_subscription(connection, name)
        shown = await documents.subscription(connection, row)
        issued = await documents.issued(connection, sent.answer or {})
    status = "asked" if sent.answer is None else "done"
    request = {"preview": False, "request": sent.id, "request_status": status}
    return {**shown, **request, "issued": issued}
