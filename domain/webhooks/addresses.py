"""Where a webhook may go: what an endpoint's URL may be, and which addresses a name may turn out to stand for."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from domain import reading
from domain.errors import Invalid

Mode = Literal["live", "test"]
# In which environments an endpoint may be at an address that is not public: one of this machine or of its network.
PrivateAddresses = Literal["refused", "test", "allowed"]
PRIVATE_ADDRESSES: tuple[PrivateAddresses, ...] = ("refused", "test", "allowed")

LONGEST_URL = 1_000
_TRANSLATED = IPv6Network("64:ff9b::/96")  # IPv4 in the last 32 bits, for networks that have none


def read_url(value: object) -> str:
    """An absolute http or https URL without credentials."""
    url = reading.text(value)
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid.at("", f"must have at most {LONGEST_URL} printable ASCII characters")
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise Invalid.at("", "must begin with https:// or http://")
    if "@" in parts.netloc:
        raise Invalid.at("", "must not carry credentials")
    if not parts.hostname or "\\" in parts.netloc:
        raise Invalid.at("", "must name a host")
    if "#" in url:
        raise Invalid.at("", "must not have a fragment")
    return url


def require_secure(url: str, mode: Mode, private: PrivateAddresses) -> None:
    """Raise `Invalid` for a URL that a live environment must not send to: facts about customers are not sent in clear text,
    but to this very machine where private addresses are allowed.
    """
    parts = _split(url)
    stays_here = private == "allowed" and _is_loopback(parts.hostname or "")
    if mode == "live" and parts.scheme != "https" and not stays_here:
        raise Invalid.at("url", "must begin with https:// in a live environment")


def may_be_private(mode: Mode, private: PrivateAddresses) -> bool:
    return private == "allowed" or (private == "test" and mode == "test")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: neither private, nor link-local, loopback, reserved or multicast,
    in whichever notation of IPv6 it hides.
    """
    inner = _inner(ip_address(address))
    return inner.is_global and not inner.is_multicast


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.port != 0:  # reading it is what checks it
            return parts
    except ValueError:
        pass
    raise Invalid.at("", "is no URL")
