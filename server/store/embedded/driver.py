"""SQLite connections as the embedded store needs them: the only file that imports apsw.

Gives `connect`, the pragmas, and the translation of SQLite's failures into those of the store contract.
Why apsw and not sqlite3: docs/decisions/sqlite-driver.md. https://sqlite.org/wal.html https://sqlite.org/pragma.html
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from server.store.contract import QueryTooCostly, StoreFull, StoreRefused, StoreUnavailable

Connection = apsw.Connection
Row = tuple[Any, ...]
SqlError = apsw.Error

ID = int.from_bytes(b"1Crd", "big")
"""application_id of a store's file: another program's database is refused, not migrated."""

_CACHE_KIB = 32 * 1024
_STATEMENTS = 400


def connect(path: Path, *, create: bool = False) -> Connection:
    """A connection with the store's pragmas. It belongs to one thread at a time.

    Raises: StoreRefused (no such file, not a database), StoreFull (read-only).
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    with failures():
        connection = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS)
        connection.set_busy_timeout(10_000)
        for pragma in (
            "page_size = 4096",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = MEMORY",
            "secure_delete = OFF",
            "wal_autocheckpoint = 0",
            "journal_size_limit = 67108864",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


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
        if error.extendedresult in _FULL:
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
    connection.set_progress_handler(condition, steps)


def is_interrupt(error: BaseException) -> bool:
    return isinstance(error, apsw.InterruptError)


def copy(source: Connection, target: Path, pages: int = 2000) -> Iterator[tuple[int, int]]:
    """Consistent snapshot into `target` while others write; yields (pages left, pages) between steps."""
    destination = apsw.Connection(str(target))
    try:
        with destination.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(pages)
                yield backup.remaining, backup.page_count
    finally:
        destination.close()
