"""The synthetic population as rows of a JHCIS database, in the tables and columns that are known (`jhcis.sql`).

The same people, visits and moments as in the 43 files; numbers are integers there (`000001` is 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from mappers.population.f43 import f43_rows
from mappers.population.his import TableRow, iso_clock, iso_day, iso_moment
from mappers.population.life import UNTIL
from mappers.population.places import HEALTH_CENTRE, VILLAGES

Row = dict[str, str]

_BLOOD = {"1": "A", "2": "B", "3": "AB", "4": "O"}
_LABS = {"07": "CH07", "11": "CH09", "08": "CH14", "05": "CH99"}
_APPOINTMENTS = {"151": "1", "181": "2"}
_CAPILLARY_FASTING = "03"
_VILLAGES = {village.vid: village.name for village in VILLAGES}


def jhcis_rows(
    count: int, seed: int, *, hcode: str = HEALTH_CENTRE.hcode, years: int = 5, until: date = UNTIL
) -> Iterator[TableRow]:
    """(table, {column: text or None}) of the first `count` people, with the lookups that their rows need."""
    known: set[tuple[str, str]] = set()
    person: Row = {}
    visit: Row = {}
    for file, row in f43_rows(count, seed, hcode=hcode, years=years, until=until):
        if file == "PERSON":
            person = row
        elif file == "SERVICE":
            visit = row
        elif write := _WRITERS.get(file):
            # A person's row holds the right to health care, which is the CARD behind PERSON; a visit's row holds who
            # saw the patient, which the first row behind SERVICE tells.
            rows = list(write({**person, **row} if file == "CARD" else row))
            if visit:
                rows = [*_service(visit | {"PROVIDER": row["PROVIDER"]}), *rows]
                visit = {}
            for table, values in rows:
                if (key := _LOOKUPS.get(table)) is not None:
                    if (table, str(values[key])) in known:
                        continue
                    known.add((table, str(values[key])))
                yield table, values


_LOOKUPS = {"cright": "rightcode", "cdrug": "drugcode", "cdrugunitsell": "unitsellcode"}
"""Tables whose rows come up again and again, and their keys."""


def _number(text: str) -> str | None:
    return str(int(text)) if text else None


def _visit_key(row: Row) -> dict[str, str | None]:
    return {"pcucode": row["HOSPCODE"], "visitno": _number(row["SEQ"])}


def _updated(row: Row) -> dict[str, str | None]:
    return {"dateupdate": iso_moment(row["D_UPDATE"])}


def _right(code: str) -> TableRow:
    return "cright", {"rightcode": code, "mapright": code}


def _provider(row: Row) -> Iterator[TableRow]:
    yield "user", {"username": row["PROVIDER"], "pcucode": row["HOSPCODE"], "idcard": row["CID"], **_updated(row)}


def _village(row: Row) -> Iterator[TableRow]:
    place = {"latitude": row["LATITUDE"], "longitude": row["LONGITUDE"]}
    yield (
        "village",
        {
            "pcucode": row["HOSPCODE"],
            "villcode": row["VID"],
            "villno": row["VID"][6:],
            "villname": _VILLAGES[row["VID"]],
            **place,
        },
    )


def _home(row: Row) -> Iterator[TableRow]:
    village = row["CHANGWAT"] + row["AMPUR"] + row["TAMBON"] + row["VILLAGE"]
    place = {"hid": row["HOUSE_ID"], "hno": row["HOUSE"], "xgis": row["LONGITUDE"], "ygis": row["LATITUDE"]}
    key = {"pcucode": row["HOSPCODE"], "hcode": _number(row["HID"]), "villcode": village}
    yield "house", {**key, **place, **_updated(row)}


def _person(row: Row) -> Iterator[TableRow]:
    """Of PERSON and CARD."""
    yield _right(row["INSTYPE_NEW"])
    right = {"rightcode": row["INSTYPE_NEW"], "rightno": row["INSID"], "datestart": iso_day(row["STARTDATE"])}
    right |= {"hosmain": row["MAIN"], "hossub": row["SUB"]}
    named = {"prename": row["PRENAME"], "fname": row["NAME"], "lname": row["LNAME"], "birth": iso_day(row["BIRTH"])}
    codes = {
        column: row.get(field)
        for column, field in (
            ("sex", "SEX"),
            ("idcard", "CID"),
            ("marystatus", "MSTATUS"),
            ("educate", "EDUCATION"),
            ("occupa", "OCCUPATION_NEW"),
            ("religion", "RELIGION"),
            ("familyposition", "FSTATUS"),
            ("typelive", "TYPEAREA"),
            ("dischargetype", "DISCHARGE"),
            ("fatherid", "FATHER"),
            ("motherid", "MOTHER"),
            ("mateid", "COUPLE"),
            ("telephoneperson", "MOBILE"),
        )
    }
    nations = {"nation": row["NATION"].lstrip("0"), "origin": row["RACE"].lstrip("0")}
    blood = {"bloodgroup": _BLOOD.get(row.get("ABOGROUP", ""), row.get("ABOGROUP"))}
    key = {"pcucodeperson": row["HOSPCODE"], "pid": _number(row["PID"]), "hcode": _number(row["HID"])}
    ended = {"dischargedate": iso_day(row.get("DDISCHARGE", ""))}
    yield "person", {**key, **named, **codes, **nations, **blood, **ended, **right, **_updated(row)}


def _chronic(row: Row) -> Iterator[TableRow]:
    key = {"pcucodeperson": row["HOSPCODE"], "pid": _number(row["PID"])}
    yield (
        "personchronic",
        {**key, "chroniccode": row["CHRONIC"], "datefirstdiag": iso_day(row["DATE_DIAG"]), **_updated(row)},
    )


def _service(row: Row) -> Iterator[TableRow]:
    yield _right(row["INSTYPE"])
    pressure = f"{row['SBP']}/{row['DBP']}" if "SBP" in row and "DBP" in row else None
    measured = {"pressure": pressure, "temperature": row.get("BTEMP"), "pulse": row.get("PR"), "respri": row.get("RR")}
    right = {
        "rightcode": row["INSTYPE"],
        "rightno": row.get("INSID"),
        "hosmain": row.get("MAIN"),
        "hossub": row.get("HSUB"),
    }
    moment = {
        "visitdate": iso_day(row["DATE_SERV"]),
        "timestart": iso_clock(row["TIME_SERV"]),
        "timeservice": row["INTIME"],
    }
    person = {"pcucodeperson": row["HOSPCODE"], "pid": _number(row["PID"])}
    refer = {"refer": "06" if row["TYPEOUT"] == "3" else "00", "refertohos": row.get("REFEROUTHOSP")}
    rest = {"symptoms": row.get("CHIEFCOMP"), "flagservice": "03", "username": row["PROVIDER"], **_updated(row)}
    yield "visit", {**_visit_key(row), **person, **moment, **right, **measured, **refer, **rest}


def _diagnosis(row: Row) -> Iterator[TableRow]:
    coded = {"diagcode": row["DIAGCODE"], "dxtype": f"0{row['DIAGTYPE']}", "clinic": row["CLINIC"]}
    yield "visitdiag", {**_visit_key(row), **coded, "doctordiag": row["PROVIDER"], **_updated(row)}


def _drug(row: Row) -> Iterator[TableRow]:
    unit = row["UNIT_PACKING"]
    yield "cdrugunitsell", {"unitsellcode": unit, "unitsellname": unit}
    named = {"drugcode": row["DIDSTD"], "drugname": row["DNAME"]}
    yield "cdrug", {**named, "drugtype": "01", "unitsell": unit}
    given = {"drugcode": row["DIDSTD"], "unit": row["AMOUNT"], "costprice": row["DRUGCOST"], "clinic": row["CLINIC"]}
    yield "visitdrug", {**_visit_key(row), **given, "doctor1": row["PROVIDER"], **_updated(row)}


def _procedure(row: Row) -> Iterator[TableRow]:
    yield "cdrug", {"drugcode": row["PROCEDCODE"], "drugname": row["PROCEDCODE"], "drugtype": "02", "unitsell": None}
    done = {"drugcode": row["PROCEDCODE"], "unit": "1", "costprice": None, "clinic": row["CLINIC"]}
    yield "visitdrug", {**_visit_key(row), **done, "doctor1": row["PROVIDER"], **_updated(row)}


def _laboratory(row: Row) -> Iterator[TableRow]:
    if row["LABTEST"] == _CAPILLARY_FASTING:
        yield "visitlabsugarblood", {**_visit_key(row), "sugarnumdigit": row["LABRESULT"], "foodsuspend": "1"}
        return
    person = {"pcucodeperson": row["HOSPCODE"], "pid": _number(row["PID"])}
    result = {"labcode": _LABS.get(row["LABTEST"], row["LABTEST"]), "labresulttext": row["LABRESULT"]}
    yield "visitlabchcyhembmsse", {**_visit_key(row), **person, "datecheck": iso_day(row["DATE_SERV"]), **result}


def _vaccine(row: Row) -> Iterator[TableRow]:
    yield "visitepi", {**_visit_key(row), "vaccinecode": row["VACCINETYPE"], "dateepi": iso_day(row["DATE_SERV"])}


def _antenatal(row: Row) -> Iterator[TableRow]:
    yield "visitanc", {**_visit_key(row), "pregno": row["GRAVIDA"], "pregage": row["GA"], "ancres": row["ANCRESULT"]}


def _appointment(row: Row) -> Iterator[TableRow]:
    kind = _APPOINTMENTS.get(row["APTYPE"], row["APTYPE"])
    planned = {"appodate": iso_day(row["APDATE"]), "appotype": kind, "diagcode": row.get("APDIAG")}
    yield "visitdiagappoint", {**_visit_key(row), **planned}


def _screening(row: Row) -> Iterator[TableRow]:
    key = {"pcucode": row["HOSPCODE"], "pid": _number(row["PID"]), "no": _number(row["SEQ"])}
    key |= {"visitno": _number(row["SEQ"]), "screen_date": iso_day(row["DATE_SERV"])}
    columns = (
        ("height", "HEIGHT"),
        ("weight", "WEIGHT"),
        ("waist", "WAIST_CM"),
        ("hbp_s1", "SBP_1"),
        ("hbp_d1", "DBP_1"),
        ("bsl", "BSLEVEL"),
        ("alcohol", "ALCOHOL"),
        ("smoke", "SMOKE"),
        ("htfamily", "HTFAMILY"),
    )
    yield "ncd_person_ncd_screen", {**key, **{column: row.get(field) for column, field in columns}, **_updated(row)}


def _special(row: Row) -> Iterator[TableRow]:
    key = {"pcucodeperson": row["HOSPCODE"], "pid": _number(row["PID"]), "visitno": _number(row["SEQ"])}
    done = {"ppspecial": row["PPSPECIAL"], "dateserv": iso_day(row["DATE_SERV"]), "provider": row["PROVIDER"]}
    yield "f43specialpp", {**key, **done, **_updated(row)}


_WRITERS: dict[str, Callable[[Row], Iterator[TableRow]]] = {
    "PROVIDER": _provider,
    "VILLAGE": _village,
    "HOME": _home,
    "CARD": _person,
    "CHRONIC": _chronic,
    "DIAGNOSIS_OPD": _diagnosis,
    "DRUG_OPD": _drug,
    "PROCEDURE_OPD": _procedure,
    "LABFU": _laboratory,
    "EPI": _vaccine,
    "ANC": _antenatal,
    "APPOINTMENT": _appointment,
    "NCDSCREEN": _screening,
    "SPECIALPP": _special,
}
