"""A file made ready, or brought to this program's version: what `onecard store init` and `store migrate` do.

Serving makes a new file by itself. One that lacks an index or is of an older version it refuses, because making up for
that takes long on a large store: it is done by these commands. A new layout needs all servers stopped, who would go on
writing as before; while one has the file open, it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from server.store.contract import StoreRefused
from server.store.embedded.driver import Connection, connect, failures
from server.store.embedded.lock import Gate
from server.store.embedded.schema import INDEXES, MIGRATIONS, checked_version, lacking, migrate, prepare

Progress = Callable[[str, int, int], None]
"""progress(what is being done, done, total)"""


def make_ready(path: Path, zone: str, progress: Progress) -> tuple[int, int]:
    """Makes a new store, or the indexes that one lacks; (indexes there, made just now).   zone: of a new store.

    Raises: StoreRefused (as `prepare`), StoreFull.
    """
    with _ready(path, create=True) as connection:
        version = checked_version(connection)
        missing = list(INDEXES) if version == 0 else lacking(connection) if version == len(MIGRATIONS) else []
        if version:
            for number, name in enumerate(missing):
                progress(f"index {name}", number, len(missing))
                with failures(), connection:
                    connection.execute(INDEXES[name])
        prepare(connection, zone)
    progress("indexes", len(missing), len(missing))
    return len(INDEXES), len(missing)


def bring_up(path: Path, progress: Progress, migrations: Sequence[str] = MIGRATIONS) -> tuple[int, int]:
    """Brings a store to this program's version; (version before, version now). A step is stored whole or not at all.

    Raises: StoreRefused (no store, a newer one), StoreInUse, StoreFull.
    """
    with _ready(path, create=False, alone=True) as connection:
        first = checked_version(connection, len(migrations))
        if first == 0:
            raise StoreRefused("there is no store yet: run `onecard store init`")
        steps = range(first, len(migrations))
        for number, version in enumerate(steps):
            progress(f"{version} -> {version + 1}", number, len(steps))
            with failures(), connection:
                migrate(connection, version, migrations[: version + 1])
    progress(f"version {len(migrations)}", len(steps), len(steps))
    return first, len(migrations)


@contextmanager
def _ready(path: Path, *, create: bool, alone: bool = False) -> Iterator[Connection]:
    """A connection while no other process writes; alone: or has the store open."""
    if not create and not path.exists():
        raise StoreRefused("there is no store yet: run `onecard store init`")
    gate = Gate(path.with_name(path.name + ".lock"))
    try:
        with gate.held():
            connection = connect(path, create=create, alone=alone)
            try:
                yield connection
            finally:
                connection.close()
    finally:
        gate.close()
