"""`jhcis`: a MariaDB with the population as JHCIS; `hosxp_mysql`, `hosxp_postgresql`: as HOSxP. Once a session each.

`expected_jhcis`, `expected_hosxp`: rows of a store into which the same people came as 43 files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mappers import hosxp, jhcis
from mappers.f43.layout import LAYOUTS
from mappers.his.tables import Rows, read_tables
from mappers.links import Row
from mappers.population import his as his_sql
from mappers.population.f43 import f43_rows
from mappers.population.hosxp import hosxp_rows
from mappers.population.jhcis import jhcis_rows
from tests.his import servers
from tests.his.importing import PEOPLE, SEED, YEARS, Files, Store, expected_files, run, same_letters

SCHEMAS = Path(his_sql.__file__).parent
JHCIS = read_tables(jhcis.TABLES)
HOSXP = read_tables(hosxp.TABLES)


@pytest.fixture(scope="session")
def jhcis_tables() -> tuple[Rows, ...]:
    return JHCIS


@pytest.fixture(scope="session")
def hosxp_tables() -> tuple[Rows, ...]:
    return HOSXP


def jhcis_sql() -> str:
    inserts = his_sql.sql_inserts(jhcis_rows(PEOPLE, SEED, years=YEARS))
    return (SCHEMAS / "jhcis.sql").read_text(encoding="utf-8") + "".join(inserts)


def hosxp_sql() -> str:
    inserts = his_sql.sql_inserts(hosxp_rows(PEOPLE, SEED, years=YEARS))
    return (SCHEMAS / "hosxp.sql").read_text(encoding="utf-8") + "".join(inserts)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[servers.Server]:
    with servers.mariadb() as server:
        server.sql(
            f"CREATE USER {servers.READER}@'127.0.0.1' IDENTIFIED BY '{servers.PASSWORD}';"
            f"CREATE USER writer@'127.0.0.1' IDENTIFIED BY '{servers.PASSWORD}';"
            "CREATE DATABASE jhcisdb CHARACTER SET utf8; CREATE DATABASE hosxp CHARACTER SET utf8;"
            "GRANT SELECT ON jhcisdb.* TO reader@'127.0.0.1'; GRANT SELECT ON hosxp.* TO reader@'127.0.0.1';"
            "GRANT SELECT, INSERT, UPDATE ON jhcisdb.* TO writer@'127.0.0.1';"
        )
        yield server


@pytest.fixture(scope="session")
def jhcis(mariadb: servers.Server) -> servers.Server:
    mariadb.sql(jhcis_sql(), "jhcisdb")
    return mariadb


@pytest.fixture(scope="session")
def hosxp_mysql(mariadb: servers.Server) -> servers.Server:
    mariadb.sql(hosxp_sql(), "hosxp")
    return mariadb


@pytest.fixture(scope="session")
def hosxp_postgresql() -> Iterator[servers.Server]:
    with servers.postgresql() as server:
        server.sql(
            f"CREATE ROLE {servers.READER} LOGIN PASSWORD '{servers.PASSWORD}';"
            f"CREATE ROLE writer LOGIN PASSWORD '{servers.PASSWORD}';"
        )
        server.sql("CREATE DATABASE hosxp;")
        server.sql(hosxp_sql(), "hosxp")
        server.sql(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;"
            "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer;",
            "hosxp",
        )
        yield server


def _as_jhcis(file: str, row: Row) -> Row:
    """Numbers are integers there, and persons have no HN."""
    numbers = ("PID", "SEQ", "HID", "MPID", "PID_IN")
    return {name: same_letters(text) if name in numbers else text for name, text in row.items() if name != "HN"}


@pytest.fixture(scope="session")
def expected_jhcis(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("f43-jhcis")
    expected_files(folder / "files", _as_jhcis)
    return _imported(folder)


@pytest.fixture(scope="session")
def expected_hosxp(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A person's number is the HN there."""
    folder = tmp_path_factory.mktemp("f43-hosxp")
    numbers = {row["PID"]: row["HN"] for file, row in f43_rows(PEOPLE, SEED, years=YEARS) if file == "PERSON"}

    def change(file: str, row: Row) -> Row:
        return {
            name: numbers.get(text, text) if name in ("PID", "MPID", "PID_IN") else text for name, text in row.items()
        }

    expected_files(folder / "files", change)
    return _imported(folder)


def _imported(folder: Path) -> Files:
    store = Store(folder / "store")
    run(store.f43(folder / "files"))
    rows: Files = run(store.rows(LAYOUTS))
    return rows
