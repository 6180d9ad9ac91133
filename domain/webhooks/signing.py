"""What a webhook is signed with: `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks has it."""

import base64
import binascii

from domain import reading
from domain.errors import Invalid

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
MOST_AT_ONCE = 5  # secrets of one endpoint that sign, the replaced ones included


def read_secret(value: object) -> str:
    """One that the receiver knows already. What is refused is not repeated in the message."""
    text = reading.text(value)
    try:
        known = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        known = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(known) <= LONGEST:
        message = f"must be {PREFIX} and from {SHORTEST} to {LONGEST} bytes in base64"
        raise Invalid.at("", message)
    return secret_of(known)


def secret_of(random: bytes) -> str:
    return PREFIX + base64.b64encode(random).decode()
