"""Kinds of settings: how the text of a flag, a variable or a TOML value becomes a value, and is shown again."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(NamedTuple):
    """How the text of a setting becomes its value."""

    name: str
    """As shown in the docs and after a flag in `--help`."""
    parse: Callable[[str], Any]
    """Raises: ValueError with the reason."""
    show: Callable[[Any], str] = str


def _boolean(text: str) -> bool:
    try:
        return {
            "true": True,
            "yes": True,
            "1": True,
            "on": True,
            "false": False,
            "no": False,
            "0": False,
            "off": False,
        }[text.strip().lower()]
    except KeyError:
        raise ValueError("true or false is expected") from None


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text.strip()) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high} is expected")
        return int(text)

    return parse


def number(low: int, high: int) -> Kind:
    return Kind(f"{low}-{high}", _number(low, high))


_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if not found or int(found[1]) == 0:
        raise ValueError("a size such as 32M is expected (K, M, G or bytes)")
    return int(found[1]) * _SIZES[found[2]]


def _show_size(value: int) -> str:
    for letter in "gmk":
        if value % _SIZES[letter] == 0:
            return f"{value // _SIZES[letter]}{letter.upper()}"
    return str(value)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 86400:
        raise ValueError("a number of seconds above 0 and up to 86400 is expected")
    return value


def _show_seconds(value: float) -> str:
    return f"{value:g}"


def _store(text: str) -> str:
    scheme = text.partition(":")[0]
    if scheme == "sqlite":
        if not text.startswith("sqlite:///") or len(text) == len("sqlite:///"):
            raise ValueError("sqlite:///PATH is expected (relative) or sqlite:////PATH (absolute)")
    elif scheme not in ("mongodb", "mongodb+srv"):
        raise ValueError("sqlite:///PATH or mongodb://HOST/NAME is expected")
    return text


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("the name of a time zone is expected, such as Asia/Bangkok") from None
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("an address such as https://fhir.example.go.th/fhir is expected, without ? and #")
    return text.rstrip("/")


def _origin(text: str) -> str:
    parts = urlsplit(text.lower())
    if parts.scheme not in ("http", "https") or not parts.hostname or text.count("/") != 2 or "*" in text:
        raise ValueError("an origin such as https://app.example.go.th is expected, without a path")
    return text.lower()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("an address or network such as 10.0.0.0/8 is expected") from None


def _text(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("a text is expected")
    return text


def without_password(url: str) -> str:
    """The URL of a store as it may be shown and logged, a mistyped one too: all before the last @ is left out."""
    if url.startswith("sqlite:///"):
        return url
    shown = re.sub(r"^([a-z0-9+]+:/+)?.*@", r"\1", url, flags=re.DOTALL)
    return re.sub(r"(?i)((?:password|properties)=)[^&]*", r"\1...", shown)


def many(kind: Kind) -> Kind:
    def parse(text: str) -> tuple[Any, ...]:
        return tuple(kind.parse(item.strip()) for item in text.split(",") if item.strip())

    def show(values: tuple[Any, ...]) -> str:
        return ", ".join(map(str, values))

    return Kind(f"{kind.name}, ...", parse, show)


def _citizen_id(text: str) -> str:
    if not re.fullmatch(r"[0-9]{13}", text):
        raise ValueError("13 digits are expected")
    return text


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[0-9]*(\{hcode\})?[0-9]*", text) or not text:
        raise ValueError("digits, with {hcode} in them or not, are expected")
    return text


def _source(text: str) -> str:
    if text not in ("card", "newest"):
        raise ValueError("card or newest is expected")
    return text


YES_NO = Kind("true/false", _boolean, lambda value: str(value).lower())
SIZE = Kind("SIZE", _size, _show_size)
SECONDS = Kind("SECONDS", _seconds, _show_seconds)
FILE = Kind("FILE", _text)
FOLDER = Kind("FOLDER", _text)
TEXT = Kind("TEXT", _text)
STORE = Kind("URL", _store)
ZONE = Kind("ZONE", _zone)
BASE_URL = Kind("URL", _url)
ORIGINS = many(Kind("ORIGIN", _origin))
NETWORKS = many(Kind("NET", _network))
DIGITS = many(Kind("CID", _citizen_id))
PREFIXES = many(Kind("PREFIX", _prefix))
SOURCES = many(Kind("SOURCE", _source))
