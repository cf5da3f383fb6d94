"""`onecard sample`: people who do not exist, as files: the 43 files of their health centre, FHIR resources, or the SQL
that makes a JHCIS or HOSxP database of them."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from server.cli import refuse

if TYPE_CHECKING:
    from mappers.population.his import TableRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help=".zip of the 43 files, .ndjson or .sql")
    parser.add_argument("--people", type=int, default=100, metavar="N", help="how many / จำนวนคน [100]")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people [1]")
    parser.add_argument("--years", type=int, default=5, metavar="Y", help="of their care / จำนวนปี [5]")
    parser.add_argument("--format", choices=_WRITERS, required=True, help="of the files / รูปแบบ")
    parser.add_argument(
        "--facility", metavar="HCODE", help="whose 43 files; default: the health centre / รหัสสถานพยาบาล"
    )


def run(args: argparse.Namespace) -> int:
    """0 if it is written, 2 if it could not be."""
    from tqdm import tqdm

    if args.people < 1 or args.years < 1:
        return refuse("--people and --years are at least 1")
    try:
        with tqdm(unit=" resources" if args.format == "fhir" else " rows", file=sys.stderr, desc="sample") as bar:
            write = _WRITERS[args.format]
            count = write(args.out, args.people, args.seed, args.years, args.facility, bar.update)
    except OSError as error:
        return refuse(error)
    print(f"{count:,} written / เขียนแล้ว: {args.out}")
    return 0


def write_f43(
    out: Path,
    people: int,
    seed: int,
    years: int,
    facility: str | None = None,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Number of rows in the zip. Rows of one file are gathered in memory: it is for small and middling samples."""
    from mappers.f43.files import write_rows
    from mappers.population.f43 import f43_rows
    from mappers.population.places import HEALTH_CENTRE

    hcode = facility or HEALTH_CENTRE.hcode
    files: dict[str, list[bytes]] = {}
    count = 0
    for file, row in f43_rows(people, seed, hcode=hcode, years=years):
        files.setdefault(file, []).extend(write_rows(file, [row], header=file not in files))
        count += 1
        advance(1)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, lines in files.items():
            # A fixed time: the same seed gives the same bytes.
            archive.writestr(zipfile.ZipInfo(f"F43_{hcode}/{file}.txt"), b"".join(lines), zipfile.ZIP_DEFLATED)
    return count


def write_fhir(
    out: Path,
    people: int,
    seed: int,
    years: int,
    facility: str | None = None,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Number of resources in the NDJSON file."""
    from fhir_profiles.json_reading import write_json
    from mappers.population import resources

    count = 0
    with out.open("wb") as stream:
        for resource in resources(people, seed, years=years):
            stream.write(write_json(resource) + b"\n")
            count += 1
            advance(1)
    return count


def write_jhcis(
    out: Path,
    people: int,
    seed: int,
    years: int,
    facility: str | None = None,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Number of rows in the SQL, which is read like a dump."""
    from mappers.population.jhcis import jhcis_rows
    from mappers.population.places import HEALTH_CENTRE

    rows = jhcis_rows(people, seed, hcode=facility or HEALTH_CENTRE.hcode, years=years)
    return _write_sql(out, "jhcis", rows, advance)


def write_hosxp(
    out: Path,
    people: int,
    seed: int,
    years: int,
    facility: str | None = None,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Number of rows in the SQL, for MySQL and PostgreSQL."""
    from mappers.population.hosxp import hosxp_rows
    from mappers.population.places import HEALTH_CENTRE

    rows = hosxp_rows(people, seed, hcode=facility or HEALTH_CENTRE.hcode, years=years)
    return _write_sql(out, "hosxp", rows, advance)


def _write_sql(out: Path, system: str, rows: Iterable[TableRow], advance: Callable[[int], object]) -> int:
    from mappers.population import his

    count = 0

    def counted() -> Iterator[TableRow]:
        nonlocal count
        for row in rows:
            count += 1
            advance(1)
            yield row

    schema = Path(his.__file__).with_name(f"{system}.sql").read_text(encoding="utf-8")
    with out.open("w", encoding="utf-8") as stream:
        stream.write(schema)
        stream.writelines(his.sql_inserts(counted()))
    return count


_WRITERS = {"f43": write_f43, "fhir": write_fhir, "jhcis": write_jhcis, "hosxp": write_hosxp}
