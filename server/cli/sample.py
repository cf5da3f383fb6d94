"""`onecard sample`: people who do not exist, as files: the 43 files or the claim files of a facility, FHIR resources,
or the SQL that makes a JHCIS or HOSxP database of them. The same people, visits and diagnoses in every format."""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from server.cli import refuse
from server.cli.progress import bar

SPOOLED = 1 << 20
"""Bytes of each file of a zip that stay in memory while it grows."""
COPIED = 1 << 20
FORMATS = ("f43", "f16", "fhir", "jhcis", "hosxp")


@dataclass(frozen=True, slots=True)
class People:
    """Who is wanted."""

    count: int
    seed: int
    years: int
    hcode: str = ""
    """Whose files; empty: the health centre."""

    @property
    def facility(self) -> str:
        from mappers.population.places import HEALTH_CENTRE

        return self.hcode or HEALTH_CENTRE.hcode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help=".zip of the 43 or 16 files, .ndjson or .sql")
    parser.add_argument("--people", type=int, default=100, metavar="N", help="how many / จำนวนคน [100]")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people [1]")
    parser.add_argument("--years", type=int, default=5, metavar="Y", help="of their care / จำนวนปี [5]")
    parser.add_argument("--format", choices=FORMATS, required=True, help="of the files / รูปแบบ")
    parser.add_argument(
        "--facility", default="", metavar="HCODE", help="whose files; default: the health centre / รหัสสถานพยาบาล"
    )
    parser.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")


def run(args: argparse.Namespace) -> int:
    """0 if it is written, 2 if it could not be."""
    if args.people < 1 or args.years < 1:
        return refuse("--people and --years are at least 1")
    people = People(args.people, args.seed, args.years, args.facility)
    try:
        with bar("sample", "resources" if args.format == "fhir" else "rows") as shown:
            count = write_sample(args.out, args.format, people, shown.update)
    except OSError as error:
        return refuse(error)
    if args.json:
        print(json.dumps({"out": str(args.out), "format": args.format, "written": count}))
    else:
        print(f"{count:,} written / เขียนแล้ว: {args.out}")
    return 0


def write_sample(out: Path, form: str, people: People, advance: Callable[[int], object] = lambda written: None) -> int:
    """Number of rows or resources in the file; memory does not grow with them. form: of `FORMATS`."""
    count = 0

    def counted(rows: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        nonlocal count
        for row in rows:
            count += 1
            advance(1)
            yield row

    if form in ("f43", "f16"):
        _write_zip(out, f"{form.upper()}_{people.facility}", counted(_LINES[form](people)))
    elif form == "fhir":
        with out.open("wb") as stream:
            stream.writelines(line for _, line in counted(_resources(people)))
    else:
        return _write_sql(out, form, people, advance)
    return count


def write_f43(out: Path, people: int, seed: int, years: int) -> int:
    """The 43 files of the health centre as a zip. Number of rows."""
    return write_sample(out, "f43", People(people, seed, years))


def _f43(people: People) -> Iterator[tuple[str, bytes]]:
    """(file, line), a header row before the first of each file."""
    from mappers.f43.files import write_rows
    from mappers.population.f43 import f43_rows

    seen = set()
    for file, row in f43_rows(people.count, people.seed, hcode=people.facility, years=people.years):
        yield file, b"".join(write_rows(file, [row], header=file not in seen))
        seen.add(file)


def _f16(people: People) -> Iterator[tuple[str, bytes]]:
    from mappers.f16.files import write_rows
    from mappers.population.f16 import f16_rows

    seen = set()
    for file, row in f16_rows(people.count, people.seed, hcode=people.facility, years=people.years):
        header, line = write_rows(file, [row])
        yield file, line if file in seen else header + line
        seen.add(file)


_LINES: dict[str, Callable[[People], Iterator[tuple[str, bytes]]]] = {"f43": _f43, "f16": _f16}


def _resources(people: People) -> Iterator[tuple[str, bytes]]:
    from fhir_profiles.json_reading import write_json
    from mappers.population import resources

    for resource in resources(people.count, people.seed, years=people.years):
        yield "", write_json(resource) + b"\n"


def _write_zip(out: Path, folder: str, lines: Iterable[tuple[str, bytes]]) -> None:
    files: dict[str, IO[bytes]] = {}
    try:
        for file, line in lines:
            if file not in files:
                files[file] = _temporary()
            files[file].write(line)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in files.items():
                content.seek(0)
                # A fixed time: the same seed gives the same bytes.
                info = zipfile.ZipInfo(f"{folder}/{file}.txt")
                info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w", force_zip64=True) as target:
                    while piece := content.read(COPIED):
                        target.write(piece)
    finally:
        for content in files.values():
            content.close()


def _temporary() -> IO[bytes]:
    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(SPOOLED))


def _write_sql(out: Path, system: str, people: People, advance: Callable[[int], object]) -> int:
    """SQL that is read like a dump; that of HOSxP is for MySQL and PostgreSQL."""
    from mappers.population import his
    from mappers.population.hosxp import hosxp_rows
    from mappers.population.jhcis import jhcis_rows

    rows = {"jhcis": jhcis_rows, "hosxp": hosxp_rows}[system]
    count = 0

    def counted() -> Iterator[his.TableRow]:
        nonlocal count
        for row in rows(people.count, people.seed, hcode=people.facility, years=people.years):
            count += 1
            advance(1)
            yield row

    schema = Path(his.__file__).with_name(f"{system}.sql").read_text(encoding="utf-8")
    with out.open("w", encoding="utf-8") as stream:
        stream.write(schema)
        stream.writelines(his.sql_inserts(counted()))
    return count
