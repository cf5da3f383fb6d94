"""What reading asks of a database, and where it is: `mysql://reader@10.0.0.5:3333/jhcisdb`.

One file each knows a driver (`mysql.py`, `postgresql.py`, `dump.py`); they give connections, which only read.
The password comes from the environment or a prompt: an URL is seen in the list of processes and in histories.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from mappers.his.statements import Dialect, Record, Statement

PASSWORD_VARIABLE = "HIS_PASSWORD"  # noqa: S105  the name of a variable
STATEMENT_SECONDS = 30
"""The database itself ends a statement that takes longer, where it knows how to."""
CONNECT_SECONDS = 10
PORTS = {"mysql": 3306, "postgresql": 5432}
_SCHEMES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql", "postgres": "postgresql"}
_OPTIONS = frozenset(("charset", "text", "tls", "schema"))


class HisError(Exception):
    """A database that cannot be read, in words for the hospital's IT officer; holds no password and no data."""


class ConnectionLost(Exception):
    """There is no connection, or none any more: the same statement may be asked on a new one."""

    def __init__(self, shown: str, kind: str) -> None:
        """shown: the address. kind: of the driver's error."""
        super().__init__(
            f"{shown}: no connection ({kind}): is the server on, the address right, the port open? / "
            "ติดต่อฐานข้อมูลไม่ได้ กรุณาตรวจสอบเครื่องแม่ข่าย ที่อยู่ และพอร์ต"
        )


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is."""

    kind: str
    """`mysql` or `postgresql`."""
    host: str
    port: int
    user: str
    database: str
    options: dict[str, str] = field(default_factory=dict)
    """charset: of the connection; text=tis620: Thai bytes in columns that are declared latin1; tls=on; schema."""
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        return f"{self.kind}://{self.user}@{self.host}:{self.port}/{self.database}"


class Connection(Protocol):
    """One session. Every method raises ConnectionLost, or HisError where asking again does not help."""

    dialect: Dialect

    async def fetch(self, statement: Statement) -> Sequence[Record]:
        """All rows of a short statement."""
        ...

    async def writable(self, tables: Iterable[str]) -> str:
        """What the account may do beside reading, "" for nothing."""
        ...

    async def close(self) -> None: ...


class Database(Protocol):
    shown: str
    """Kind, user, host and name, without a password."""

    async def connect(self) -> Connection: ...


def parse_url(url: str, password: str = "") -> Address:
    """Raises: HisError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise HisError(f"not a database address: {error}") from error
    kind = _SCHEMES.get(parts.scheme)
    database = unquote(parts.path.strip("/"))
    if kind is None or not parts.hostname or not parts.username or not database or "/" in database:
        raise HisError(
            "a database address is written mysql://USER@HOST:PORT/DATABASE or postgresql://USER@HOST:PORT/DATABASE"
        )
    if parts.password is not None:
        raise HisError(
            f"no password in the address (others see it in the list of processes): set {PASSWORD_VARIABLE}, "
            "or leave it out and type it when asked / ห้ามใส่รหัสผ่านในที่อยู่ฐานข้อมูล"
        )
    options = dict(parse_qsl(parts.query))
    if unknown := options.keys() - _OPTIONS:
        raise HisError(f"unknown in the address: {', '.join(sorted(unknown))}; there are {', '.join(sorted(_OPTIONS))}")
    user = unquote(parts.username)
    return Address(kind, parts.hostname, port or PORTS[kind], user, database, options, password)
