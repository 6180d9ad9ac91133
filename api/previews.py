"""What a request would bring, decided by the same rules on the same facts, and written nowhere."""

from api.auth import Caller
from api.connections import Connections
from domain.commands import Command
from domain.documents import Document
from domain.errors import Invalid
from domain.subscription import Subscription


async def of_beginning(opened: Connections, wanted: Subscription) -> Document:
    raise Invalid.at("preview", "is not offered")


async def of_command(opened: Connections, caller: Caller, name: str, command: Command) -> Document:
    raise Invalid.at("preview", "is not offered")
