"""SQLite connections as the embedded store needs them: the only file that imports apsw.

Gives `connect`, the pragmas, and the translation of SQLite's failures into those of the store contract.
Why apsw and not sqlite3: docs/decisions/sqlite-driver.md. https://sqlite.org/wal.html https://sqlite.org/pragma.html
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import apsw

from server.store.contract import QueryTooCostly, StoreFull, StoreInUse, StoreRefused, StoreUnavailable

Row = tuple[Any, ...]
Bindings = Sequence[Any] | Mapping[str, Any]


class Cursor(Protocol):
    """Rows of a statement. Values are Any: what a column holds is said by the schema."""

    @property
    def get(self) -> Any:
        """All that is left: None, the only value, the only row, or a list of rows; ends the statement."""

    def fetchall(self) -> list[Row]: ...

    def __iter__(self) -> Iterator[Row]: ...


class Connection(Protocol):
    """The part of apsw.Connection that the store uses. As a context manager: a savepoint."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, bindings: Bindings | None = None, /) -> Cursor: ...

    def executemany(self, sql: str, rows: Sequence[Bindings], /) -> Cursor: ...

    def create_scalar_function(self, name: str, function: Callable[..., Any], arguments: int, /) -> None: ...

    def pragma(self, name: str, value: int | str = ..., /) -> Any: ...

    def close(self) -> None: ...

    def __enter__(self) -> Connection: ...

    def __exit__(self, *failure: object) -> bool | None: ...


SqlError = apsw.Error

ID = int.from_bytes(b"1Crd", "big")
"""application_id of a store's file: another program's database is refused, not migrated."""

_STATEMENTS = 400


def connect(path: Path, *, create: bool = False, cache: int = 8, alone: bool = False) -> Connection:
    """A connection with the store's pragmas. It belongs to one thread at a time.

    cache: MiB of pages that it keeps; the operating system keeps the rest of the file. alone: nobody else has the file
    open, nor can open it before this connection is closed (https://sqlite.org/pragma.html#pragma_locking_mode).

    Raises: StoreRefused (no such file, not a database), StoreInUse (not alone), StoreFull (read-only).
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    with failures():
        connection = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS)
        connection.set_busy_timeout(10_000)
        if alone:
            _take(connection)
        for pragma in (
            "page_size = 4096",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{cache * 1024}",
            "temp_store = MEMORY",
            "secure_delete = OFF",
            "wal_autocheckpoint = 0",
            "journal_size_limit = 67108864",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    return cast(Connection, connection)


def _take(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.BusyError as error:
        connection.close()
        raise StoreInUse from error


@contextmanager
def failures() -> Iterator[None]:
    """Failures of the disk and of limits as the contract names them; a bug (SQL, constraint) passes through."""
    try:
        yield
    except (apsw.FullError, apsw.ReadOnlyError) as error:
        raise StoreFull("the disk is full or read-only: nothing was stored") from error
    except apsw.InterruptError as error:
        raise QueryTooCostly(TOO_LONG) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreRefused(f"the file is not a sound SQLite database: {error}") from error
    except apsw.CantOpenError as error:
        raise StoreRefused(f"the file cannot be opened: {error}") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) in _FULL:
            raise StoreFull("the disk is full or read-only: nothing was stored") from error
        raise StoreUnavailable(f"the disk failed: {error}") from error
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise StoreUnavailable("the database is locked by another program") from error


TOO_LONG = (
    "The search examined too many resources within its time limit. Add a patient, a code, an identifier or a date "
    "range, ask for no _total, or sort by _lastUpdated or the clinical date."
)
_FULL = {
    apsw.SQLITE_IOERR_WRITE,
    apsw.SQLITE_IOERR_SHMSIZE,
    apsw.SQLITE_IOERR_SHMOPEN,
    apsw.SQLITE_IOERR_SHMMAP,
    apsw.SQLITE_IOERR_TRUNCATE,
}


def integers(values: Sequence[int]) -> object:
    """Bind many integers at once: `IN carray(?)`. At least one."""
    return apsw.carray(array("q", values))


def texts(values: Sequence[str]) -> object:
    """Bind many strings at once: `IN carray(?)`. At least one."""
    return apsw.carray(tuple(values))


def blobs(values: Sequence[bytes]) -> object:
    """Bind many byte strings at once: `IN carray(?)`. At least one."""
    return apsw.carray(tuple(values))


def stop_when(connection: Connection, condition: Callable[[], bool] | None, steps: int = 1000) -> None:
    """Interrupt a statement (QueryTooCostly, or Interrupted) once the condition holds, asked every `steps` VM steps."""
    _apsw(connection).set_progress_handler(condition, steps)


def is_interrupt(error: BaseException) -> bool:
    return isinstance(error, apsw.InterruptError)


def _apsw(connection: Connection) -> apsw.Connection:
    return cast(apsw.Connection, connection)


def checkpoint(connection: Connection) -> bool:
    """Copies what it can from the log into the database without waiting for anybody; False if others are at it, or
    the disk is full: a later commit asks again."""
    try:
        _apsw(connection).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError):
        return False
    return True


def on_commit(connection: Connection, told: Callable[[int], None]) -> None:
    """told: the pages that the log has after each commit of this connection."""

    def hook(_: apsw.Connection, __: str, pages: int) -> int:
        told(pages)
        return apsw.SQLITE_OK

    _apsw(connection).set_wal_hook(hook)
