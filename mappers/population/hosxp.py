"""The synthetic population as rows of a HOSxP database, in the tables and columns that are known (`hosxp.sql`).

The same people and visits as in the 43 files of the facility; a person's number is the HN there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import count as counter

from mappers.population.f43 import f43_rows
from mappers.population.his import TableRow, iso_clock, iso_day
from mappers.population.life import UNTIL
from mappers.population.places import HEALTH_CENTRE

Row = dict[str, str]


def hosxp_rows(
    count: int, seed: int, *, hcode: str = HEALTH_CENTRE.hcode, years: int = 5, until: date = UNTIL
) -> Iterator[TableRow]:
    """(table, {column: text or None}) of those of the first `count` people whom the facility knows."""
    writer = _Writer()
    for file, row in f43_rows(count, seed, hcode=hcode, years=years, until=until):
        if write := _WRITERS.get(file):
            yield from write(writer, row)


class _Writer:
    """Remembers what the next rows hang on: the person, the visit, and lookups that are there."""

    def __init__(self) -> None:
        self._person: Row = {}
        self._visit: Row = {}
        self._known: set[tuple[str, str]] = set()
        self._numbers = counter(1)

    def _once(self, table: str, key: str, values: dict[str, str | None]) -> Iterator[TableRow]:
        if (table, key) not in self._known:
            self._known.add((table, key))
            yield table, values

    def _number(self) -> str:
        return str(next(self._numbers))

    @property
    def _place(self) -> dict[str, str | None]:
        """Visit and moment that every row of a visit has."""
        visit = self._visit
        moment = {"vstdate": iso_day(visit["DATE_SERV"]), "vsttime": iso_clock(visit["TIME_SERV"])}
        return {"vn": visit["SEQ"], "hn": self._person["HN"], **moment}

    def provider(self, row: Row) -> Iterator[TableRow]:
        yield "doctor", {"code": row["PROVIDER"], "licenseno": row.get("REGISTERNO"), "name": row["NAME"]}

    def person(self, row: Row) -> Iterator[TableRow]:
        self._person = row
        return iter(())

    def address(self, row: Row) -> Iterator[TableRow]:
        """PERSON and the ADDRESS behind it are one row of patient."""
        person = self._person
        named = {"hn": person["HN"], "cid": person["CID"], "pname": _PREFIXES[person["PRENAME"]]}
        named |= {"fname": person["NAME"], "lname": person["LNAME"], "sex": person["SEX"]}
        codes = {"marrystatus": person["MSTATUS"], "occupation": person.get("OCCUPATION_NEW")}
        codes |= {"nationality": person["NATION"].lstrip("0"), "mobile_phone_number": person.get("MOBILE")}
        place = {"addrpart": row["HOUSENO"], "moopart": row["VILLAGE"].lstrip("0"), "road": None}
        place |= {"tmbpart": row["TAMBON"], "amppart": row["AMPUR"], "chwpart": row["CHANGWAT"]}
        yield "patient", {**named, "birthday": iso_day(person["BIRTH"]), **codes, **place}

    def service(self, row: Row) -> Iterator[TableRow]:
        self._visit = row
        right = row["INSTYPE"]
        yield from self._once("pttype", right, {"pttype": right[:2], "name": right, "pttype_nhso_code": right})
        paid = {
            "pttype": right[:2],
            "pttypeno": row.get("INSID"),
            "hospmain": row.get("MAIN"),
            "hospsub": row.get("HSUB"),
        }
        ways = {"ovstist": f"0{row['TYPEIN']}", "ovstost": f"0{row['TYPEOUT']}", "rfrolct": row.get("REFEROUTHOSP")}
        yield "ovst", {**self._place, **paid, **ways}
        measured = {"bps": row.get("SBP"), "bpd": row.get("DBP"), "temperature": row.get("BTEMP")}
        measured |= {"pulse": row.get("PR"), "rr": row.get("RR"), "cc": row.get("CHIEFCOMP")}
        yield "opdscreen", {"vn": row["SEQ"], "hn": self._person["HN"], **measured}
        yield (
            "vn_stat",
            {"vn": row["SEQ"], "hn": self._person["HN"], "income": row["PRICE"], "paid_money": row["ACTUALPAY"]},
        )

    def diagnosis(self, row: Row) -> Iterator[TableRow]:
        coded = {"icd10": row["DIAGCODE"], "diagtype": row["DIAGTYPE"], "doctor": row["PROVIDER"]}
        yield "ovstdiag", {"ovst_diag_id": self._number(), **self._place, **coded}

    def drug(self, row: Row) -> Iterator[TableRow]:
        code = f"1{row['DIDSTD'][-6:]}"
        item = {"icode": code, "name": row["DNAME"], "units": row["UNIT_PACKING"], "did": row["DIDSTD"]}
        yield from self._once("drugitems", code, {**item, "unitcost": row["DRUGCOST"]})
        given = {"icode": code, "qty": row["AMOUNT"], "unitprice": row["DRUGPRICE"], "doctor": row["PROVIDER"]}
        yield "opitemrece", {"hos_guid": self._number(), **self._place, **given, "income": None, "sum_price": None}

    def charge(self, row: Row) -> Iterator[TableRow]:
        group = row["CHARGEITEM"]
        yield from self._once("income", group, {"income": group, "std_group": group.lstrip("0")})
        item = {"icode": f"3{group:0>6}", "qty": row["QUANTITY"], "unitprice": row["PRICE"], "doctor": None}
        right = {"pttype": row["INSTYPE"][:2], "income": group, "sum_price": row["PRICE"]}
        yield "opitemrece", {"hos_guid": self._number(), **self._place, **item, **right}

    def laboratory(self, row: Row) -> Iterator[TableRow]:
        visit = self._visit
        number = str(int(visit["SEQ"]))
        moment = {"order_date": iso_day(row["DATE_SERV"]), "order_time": iso_clock(visit["TIME_SERV"])}
        head = {"lab_order_number": number, "vn": visit["SEQ"], "hn": self._person["HN"], **moment}
        yield from self._once("lab_head", number, head)
        result = {"lab_items_code": row["LABTEST"], "lab_order_result": row["LABRESULT"], "confirm": "Y"}
        yield "lab_order", {"lab_order_number": number, **result}

    def appointment(self, row: Row) -> Iterator[TableRow]:
        planned = {"nextdate": iso_day(row["APDATE"]), "provis_aptype_code": row["APTYPE"], "doctor": row["PROVIDER"]}
        place = self._place
        del place["vsttime"]
        yield "oapp", {"oapp_id": self._number(), **place, **planned}


_PREFIXES = {"001": "ด.ช.", "002": "ด.ญ.", "003": "นาย", "004": "นางสาว", "005": "นาง"}

_WRITERS: dict[str, Callable[[_Writer, Row], Iterator[TableRow]]] = {
    "PROVIDER": _Writer.provider,
    "PERSON": _Writer.person,
    "ADDRESS": _Writer.address,
    "SERVICE": _Writer.service,
    "DIAGNOSIS_OPD": _Writer.diagnosis,
    "DRUG_OPD": _Writer.drug,
    "CHARGE_OPD": _Writer.charge,
    "LABFU": _Writer.laboratory,
    "APPOINTMENT": _Writer.appointment,
}
