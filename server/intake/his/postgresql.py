"""PostgreSQL: the only file that knows its driver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import asyncpg

from mappers.his.statements import POSTGRESQL, Record, Statement
from server.intake.his.database import CONNECT_SECONDS, STATEMENT_SECONDS, Address, ConnectionLost, HisError

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    OSError,
    TimeoutError,
)


class PostgresqlDatabase:
    def __init__(self, address: Address) -> None:
        self._address = address
        self.shown = address.shown

    async def connect(self) -> PostgresqlConnection:
        """Raises: ConnectionLost where nobody answers, HisError where the account is refused."""
        where = self._address
        settings = {
            "application_name": "onecard",
            "default_transaction_read_only": "on",
            "statement_timeout": str(STATEMENT_SECONDS * 1000),
            "lock_timeout": "5000",
            "idle_in_transaction_session_timeout": "60000",
        }
        if schema := where.options.get("schema"):
            settings["search_path"] = schema
        try:
            connection = await asyncpg.connect(
                host=where.host,
                port=where.port,
                user=where.user,
                password=where.password,
                database=where.database,
                timeout=CONNECT_SECONDS,
                ssl="verify-full" if where.options.get("tls") == "on" else "prefer",
                server_settings=settings,
                statement_cache_size=0,  # a pool in front of the server may hand the session to others
            )
        except (asyncpg.PostgresError, *_LOST) as error:
            raise _told(error, where) from error
        return PostgresqlConnection(connection, where)


class PostgresqlConnection:
    dialect = POSTGRESQL

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], address: Address) -> None:
        self._connection = connection
        self._address = address

    async def fetch(self, statement: Statement) -> Sequence[Record]:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS * 2):
                return [tuple(row) for row in await self._connection.fetch(statement.text, *statement.values)]
        except (asyncpg.PostgresError, *_LOST) as error:
            raise _told(error, self._address) from error

    async def writable(self, tables: Iterable[str]) -> str:
        """Rights on the tables that are read; a superuser has all."""
        text = (
            "SELECT DISTINCT c.relname::text FROM pg_class c"
            " WHERE c.relname = ANY($1::text[]) AND c.relkind IN ('r', 'p')"
            " AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1"
        )
        found = [str(name) for (name,) in await self.fetch(Statement(text, (sorted(tables),)))]
        return f"INSERT, UPDATE or DELETE on {', '.join(found[:5])}" if found else ""

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=5)
        except (asyncpg.PostgresError, *_LOST):
            self._connection.terminate()


def _told(error: Exception, address: Address) -> ConnectionLost | HisError:
    """Only the kind, and names of tables and columns: a message of the server may quote data."""
    if isinstance(error, _LOST):
        return ConnectionLost(address.shown, type(error).__name__)
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return HisError(f"{address.shown}: {words}")
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return HisError(f"{address.shown}: {error}; correct it with --tables / แก้ไขด้วย --tables")
    return HisError(f"{address.shown}: {type(error).__name__}")


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, "user or password is wrong / ชื่อผู้ใช้หรือรหัสผ่านไม่ถูกต้อง"),
    (asyncpg.InvalidCatalogNameError, "there is no such database / ไม่มีฐานข้อมูลชื่อนี้"),
    (asyncpg.InsufficientPrivilegeError, "the account may not read a table / บัญชีนี้ไม่มีสิทธิ์อ่านตาราง"),
    (asyncpg.QueryCanceledError, f"a statement took more than {STATEMENT_SECONDS} s: is the key of the table indexed?"),
)
"""What the database's administrator can do something about."""
