"""Who is at the other end, seen through trusted proxies only.

A proxy's X-Forwarded-Proto and X-Forwarded-Host are believed if the connection itself comes from a listed network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from server.errors import BadRequest
from server.setting_kinds import Network

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?")


class Client(NamedTuple):
    scheme: str
    """http or https, as the client sees it."""
    host: str
    """Name and port of this server, as the client sees it."""


def client_of(headers: Mapping[str, str], trusted: Sequence[Network], *, secure: bool, remote: str) -> Client:
    """secure: the connection itself is encrypted. remote: address of its other end. Raises: BadRequest for a Host that
    is none."""
    scheme = "https" if secure else "http"
    host = headers.get("host") or "localhost"
    if trusted and _is_trusted(remote, tuple(trusted)):
        scheme = _first(headers.get("x-forwarded-proto", scheme)).lower()
        host = _first(headers.get("x-forwarded-host", host))
    return _client(scheme, host)


@lru_cache(maxsize=256)
def _client(scheme: str, host: str) -> Client:
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise BadRequest("The header Host is no host name.")
    return Client(scheme, host)


def _first(value: str) -> str:
    return value.partition(",")[0].strip()


@lru_cache(maxsize=1024)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in trusted)
