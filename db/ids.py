"""Ids: a typed prefix and a UUIDv7, so that they sort by when they were made."""

import secrets
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """`cus` -> `cus_` + 32 hexadecimal digits; later ids of this process are always greater."""
    return f"{prefix}_{_uuid7():032x}"


def _uuid7() -> int:
    """RFC 9562: 48 bits of Unix milliseconds, 12 bits of the fraction of one, 62 random bits."""
    milliseconds, fraction = divmod(_tick(), 4096)
    high = milliseconds << 16 | 0x7000 | fraction
    return high << 64 | 0b10 << 62 | secrets.randbits(62)


def _tick() -> int:
    """Time in 4096ths of a millisecond, never the same twice."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
        return _last
