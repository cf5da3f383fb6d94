"""Releases of any length in the shape of each publisher: `write(system, count, folder)` gives the path to load."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

URL = "https://hospital.example/beds"


def _claml(count: int, folder: Path) -> Path:
    each = '<Class code="X{0:04}" kind="category"><Rubric kind="preferred"><Label>Fever {0}</Label></Rubric></Class>'
    classes = "".join(map(each.format, range(count)))
    return _written(
        folder / "icd102019en.xml", f'<ClaML version="2.0.0"><Meta name="lang" value="en"/>{classes}</ClaML>'
    )


def _icd10tm(count: int, folder: Path) -> Path:
    rows = "".join(f"X{n:04},Fever {n},ไข้ {n},1\n" for n in range(count))
    return _written(folder / "icd10tm.csv", "code,desc_en,desc_th,valid\n" + rows)


def _icd9cm(count: int, folder: Path) -> Path:
    lines = "".join(f"{n:04} Invented procedure {n}\r\n" for n in range(count))
    with zipfile.ZipFile(folder / "cms.zip", "w") as archive:
        archive.writestr("CMS32_DESC_LONG_SG.txt", lines)
    return folder / "cms.zip"


def _tmt(count: int, folder: Path) -> Path:
    release = folder / "tmt"
    (release / "Concept").mkdir(parents=True)
    (release / "Relationship").mkdir()
    half = count // 2
    _written(release / "Concept/GP20260101.csv", "TMTID(GP),FSN\n" + "".join(f"{n},tablet {n}\n" for n in range(half)))
    rows = "".join(f"{n},TRADE {n} tablet,MAKER\n" for n in range(half, count))
    _written(release / "Concept/TP20260101.csv", "TMTID(TP),FSN,MANUFACTURER\n" + rows)
    pairs = "".join(f"{n},{n + half}\n" for n in range(half))
    _written(release / "Relationship/GPtoTP20260101.csv", "TMTID(GP),TMTID(TP)\n" + pairs)
    return release


def _tmlt(count: int, folder: Path) -> Path:
    rows = "".join(f"{320000 + n},Invented {n} in Serum,,Serum,mg/dL,1\n" for n in range(count))
    return _written(folder / "TMLT_SNAPSHOT.csv", "TMLT_Code,TMLT_Name,LOINC_NUM,Specimen,Unit,STATUS\n" + rows)


def _loinc(count: int, folder: Path) -> Path:
    header = '"LOINC_NUM","COMPONENT","STATUS","CLASSTYPE","SHORTNAME","LONG_COMMON_NAME"\n'
    rows = "".join(f'"{n}-0","Invented","ACTIVE","1","Inv {n}","Invented {n} in Serum"\n' for n in range(count))
    with zipfile.ZipFile(folder / "Loinc.zip", "w") as archive:
        archive.writestr("LoincTable/Loinc.csv", header + rows)
    return folder / "Loinc.zip"


def _csv(count: int, folder: Path) -> Path:
    return _written(folder / "beds.csv", "code,display\n" + "".join(f"w{n},Ward {n}\n" for n in range(count)))


def _fhir(count: int, folder: Path) -> Path:
    concepts = [{"code": f"w{n}", "display": f"Ward {n}"} for n in range(count)]
    system = {"resourceType": "CodeSystem", "url": URL, "status": "active", "content": "complete", "concept": concepts}
    return _written(folder / "beds.json", json.dumps(system))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


RELEASES: dict[str, Callable[[int, Path], Path]] = {
    "icd-10": _claml,
    "icd-10-tm": _icd10tm,
    "icd-9-cm": _icd9cm,
    "tmt": _tmt,
    "tmlt": _tmlt,
    "loinc": _loinc,
    "csv": _csv,
    "fhir": _fhir,
}
