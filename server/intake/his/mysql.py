"""MySQL 5.0 and later and MariaDB: the only file that knows their driver."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import aiomysql
import pymysql

from mappers.his.statements import MYSQL, Record, Statement
from server.intake.his.database import CONNECT_SECONDS, STATEMENT_SECONDS, Address, ConnectionLost, HisError

_GONE = frozenset((1053, 1077, 1079, 1080, 1317, 1927, 2002, 2003, 2006, 2013, 2014, 2055))
"""Server shutdown, killed, gone away, lost. https://mariadb.com/kb/en/mariadb-error-codes/"""
_READS = frozenset(
    ("USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT", "BINLOG MONITOR")
)
_GRANT = re.compile(r"GRANT (.+?) ON (?:\S+\.\S+|\S+) TO ", re.IGNORECASE)
_SESSION = (
    # Each for the servers that know it; a server that does not goes on without.
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    f"SET SESSION max_statement_time = {STATEMENT_SECONDS}",  # MariaDB, seconds
    f"SET SESSION max_execution_time = {STATEMENT_SECONDS * 1000}",  # MySQL 5.7, milliseconds
    "SET SESSION lock_wait_timeout = 5",
    "SET SESSION wait_timeout = 600",
)


class MysqlDatabase:
    def __init__(self, address: Address) -> None:
        self._address = address
        self.shown = address.shown

    async def connect(self) -> MysqlConnection:
        """Raises: ConnectionLost where nobody answers, HisError where the account is refused."""
        where = self._address
        tls = ssl.create_default_context() if where.options.get("tls") == "on" else None
        try:
            connection = await aiomysql.connect(
                host=where.host,
                port=where.port,
                user=where.user,
                password=where.password,
                db=where.database,
                charset=where.options.get("charset", "utf8mb4"),
                connect_timeout=CONNECT_SECONDS,
                autocommit=True,
                ssl=tls,
            )
        except (pymysql.err.MySQLError, OSError, TimeoutError) as error:
            raise _told(error, where) from error
        made = MysqlConnection(connection, where)
        await made.prepare()
        return made


class MysqlConnection:
    dialect = MYSQL

    def __init__(self, connection: Any, address: Address) -> None:
        self._connection = connection
        self._address = address
        self._tis620 = address.options.get("text") == "tis620"

    async def prepare(self) -> None:
        for statement in _SESSION:
            with contextlib.suppress(HisError):
                await self.fetch(Statement(statement, ()))

    async def fetch(self, statement: Statement) -> Sequence[Record]:
        values = tuple(map(_tis620, statement.values)) if self._tis620 else statement.values
        try:
            async with asyncio.timeout(STATEMENT_SECONDS * 2), self._connection.cursor() as cursor:
                await cursor.execute(statement.text, values or None)
                rows: Sequence[Record] = await cursor.fetchall()
        except (pymysql.err.Error, OSError, EOFError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise _told(error, self._address) from error
        return [tuple(map(_thai, row)) for row in rows] if self._tis620 else rows

    async def writable(self, tables: Iterable[str]) -> str:
        found: set[str] = set()
        for grant, *_ in await self.fetch(Statement("SHOW GRANTS FOR CURRENT_USER()", ())):
            text = re.sub(r"\([^)]*\)", "", str(grant))
            if match := _GRANT.match(text):
                found |= {each.strip().upper() for each in match[1].split(",")}
            if "WITH GRANT OPTION" in text.upper():
                found.add("GRANT OPTION")
        return ", ".join(sorted(found - _READS))

    async def close(self) -> None:
        self._connection.close()


def _thai(value: object) -> object:
    """Bytes of TIS-620 that came through a latin1 connection."""
    if isinstance(value, str) and not value.isascii():
        with contextlib.suppress(UnicodeError):
            return value.encode("cp1252").decode("cp874")
    return value


def _tis620(value: object) -> object:
    """A key that came through `_thai`, as it stands in the table."""
    if isinstance(value, str) and not value.isascii():
        with contextlib.suppress(UnicodeError):
            return value.encode("cp874").decode("cp1252")
    return value


def _told(error: Exception, address: Address) -> ConnectionLost | HisError:
    """Only number and kind: a message of the server may quote data."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number in _GONE or not isinstance(error, pymysql.err.Error) or isinstance(error, pymysql.err.InterfaceError):
        return ConnectionLost(address.shown, f"{type(error).__name__} {number or ''}".strip())
    why = _WORDS.get(number, f"{type(error).__name__} {number}")
    if number in (1054, 1146):
        why = f"{why}: {str(error.args[1])[:200]}"
    return HisError(f"{address.shown}: {why}")


_WORDS = {
    1044: "this account may not use the database / บัญชีนี้ไม่มีสิทธิ์ใช้ฐานข้อมูล",
    1045: "user or password is wrong / ชื่อผู้ใช้หรือรหัสผ่านไม่ถูกต้อง",
    1049: "there is no such database / ไม่มีฐานข้อมูลชื่อนี้",
    1054: "a column is not there; correct it with --tables / ไม่มีคอลัมน์นี้ แก้ไขด้วย --tables",
    1142: "the account may not read a table / บัญชีนี้ไม่มีสิทธิ์อ่านตาราง",
    1146: "a table is not there; correct it with --tables / ไม่มีตารางนี้ แก้ไขด้วย --tables",
    1969: f"a statement took more than {STATEMENT_SECONDS} s: is the key of the table indexed?",
    3024: f"a statement took more than {STATEMENT_SECONDS} s: is the key of the table indexed?",
}
"""Numbers of the server that its administrator can do something about."""
