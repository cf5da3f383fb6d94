"""`onecard token add|list|revoke`: system tokens, stored as hashes in <data-folder>/tokens.json."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.access.tokens import Token, TokenFileError, add_token, read_tokens, revoke_token
from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.clock import now_ms
from server.config import SettingRefused
from server.store.contract import instant

_LIFETIME = re.compile(r"([0-9]{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = commands.add_parser("add", help="make a token; it is shown once / สร้างโทเค็น แสดงครั้งเดียว")
    add.add_argument("name", metavar="NAME", help="system it is for / ชื่อระบบที่ใช้: letters, digits, . _ -")
    add.add_argument("--expires", metavar="WHEN", help="365d, 12h, 30m or a date 2027-01-31 / วันหมดอายุ")
    add.add_argument("--read-only", action="store_true", help="may read and search only / อ่านและค้นหาเท่านั้น")
    listing = commands.add_parser("list", help="names, expiry, rights; never the tokens / รายชื่อโทเค็น")
    revoke = commands.add_parser("revoke", help="end a token at once, on all workers / เพิกถอนโทเค็นทันที")
    revoke.add_argument("name", metavar="NAME")
    for each in (add, listing, revoke):
        add_settings(each, ("data-folder",))


def run(args: argparse.Namespace) -> int:
    try:
        path = settings_of(args).token_file
        return {"add": _add, "list": _list, "revoke": _revoke}[args.action](path, args)
    except OSError as error:
        return refuse(f"the tokens cannot be written: {error.filename or args.data_folder}: {error.strerror}")
    except (SettingRefused, TokenFileError, ValueError) as error:
        return refuse(error)


def _add(path: Path, args: argparse.Namespace) -> int:
    now = now_ms()
    expires = expiry(args.expires, now) if args.expires else None
    secret = add_token(path, args.name, now=now, expires=expires, read_only=args.read_only)
    print(secret)
    print("It is shown this once; only its hash is kept. / แสดงเพียงครั้งนี้ ระบบเก็บเฉพาะค่าแฮช", file=sys.stderr)
    return 0


def _list(path: Path, args: argparse.Namespace) -> int:
    for token in read_tokens(path):
        print(described(token, now_ms()))
    return 0


def _revoke(path: Path, args: argparse.Namespace) -> int:
    revoke_token(path, args.name)
    print(f"revoked / เพิกถอนแล้ว: {args.name}")
    return 0


def described(token: Token, now: int) -> str:
    ends = "never expires" if token.expires is None else f"expires {instant(token.expires)}"
    state = "" if token.valid(now) else "  EXPIRED / หมดอายุแล้ว"
    return f"{token.name}\t{'read-only' if token.read_only else 'read-write'}\t{ends}{state}"


def expiry(text: str, now: int) -> int:
    """Milliseconds UTC of "365d", "12h", "30m" from now, or of an ISO date or time. Raises: ValueError."""
    if found := _LIFETIME.fullmatch(text):
        ends = now + int(timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds() * 1000)
    else:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("--expires: 365d, 12h, 30m or a date such as 2027-01-31 is expected") from None
        ends = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    if ends <= now:
        raise ValueError("--expires: this is in the past")
    return ends
