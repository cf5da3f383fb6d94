"""PROVIDER, VILLAGE, HOME and the housekeeping files."""

from __future__ import annotations

from mappers.address import address
from mappers.citizen_id import is_valid
from mappers.codes import TERMINOLOGY, concept, displays
from mappers.f43.links import facility, file_map
from mappers.f43.maps.shapes import record
from mappers.lens import (
    EXTENSIONS,
    Lens,
    choice,
    coded,
    coded_extension,
    date,
    digits,
    ending,
    extended,
    identified,
    look,
    numeric,
    path,
    place,
    text,
    whole,
)
from mappers.links import CID, HOUSE, VILLAGE, Resource, Row, identifier, local, logical
from mappers.part import FIRST, Part
from mappers.patient import PREFIXES

LICENCES = {
    "01": ("th-doctor-id", "proDoc"),
    "02": ("th-nurse-id", "proNurse"),
    "03": ("th-pharmacist-id", "proPharm"),
    "04": ("th-dentist-id", "proDent"),
    "05": ("th-physio-id", "proPhysio"),
    "06": ("th-medtech-id", "proMedtech"),
    "07": ("th-vet-id", "proVet"),
}
"""COUNCIL to the identifier system and type of its licence."""


def _practitioner(row: Row) -> Resource:
    hcode = row["HOSPCODE"]
    identifiers = [identifier(local(hcode, "Provider"), row["PROVIDER"], "localProv")]
    if "REGISTERNO" in row and row.get("COUNCIL") in LICENCES:
        name, kind = LICENCES[row["COUNCIL"]]
        identifiers.append(identifier(f"https://terms.sil-th.org/id/{name}", row["REGISTERNO"], kind))
    return {"resourceType": "Practitioner", "identifier": identifiers, "active": "OUTDATE" not in row}


def _role(row: Row) -> Resource:
    return {
        "resourceType": "PractitionerRole",
        "active": "OUTDATE" not in row,
        "practitioner": logical("Practitioner", local(row["HOSPCODE"], "Provider"), row["PROVIDER"]),
        "organization": facility(row),
    }


def _prefix() -> Lens:
    """PRENAME in words, as the name of a Patient has it, and its code beside them; what is no code as it came."""
    words, label = path("name.0.prefix.0"), path("name.0._prefix.0.extension.0")
    code = coded("valueCodeableConcept", PREFIXES)

    def put(resource: Resource, value: str, row: Row) -> None:
        known = displays(PREFIXES).get(value)
        place(resource, words, known or value)
        if known:
            extension: Resource = {"url": EXTENSIONS + "ex-humanname-name-prefix"}
            code.put(extension, value, row)
            place(resource, label, extension)

    return Lens(put, lambda resource: code.get(look(resource, label) or {}) or look(resource, words) or "")


_PROVIDER = file_map(
    "PROVIDER",
    (
        Part(
            FIRST,
            _practitioner,
            {
                "CID": identified(CID, "cid", is_valid),
                "PRENAME": _prefix(),
                "NAME": text("name.0.given.0"),
                "LNAME": text("name.0.family"),
                "BIRTH": date("birthDate"),
            },
            {"SEX": choice("gender", "sex")},
        ),
        Part(
            "role",
            _role,
            {
                "PROVIDERTYPE": coded("code.0", "cs-thcc-individual-provider-type"),
                "STARTDATE": date("period.start"),
                "OUTDATE": ending("period", date),
            },
        ),
    ),
)


def _village(row: Row) -> Resource:
    return {
        "resourceType": "Location",
        "identifier": [identifier(VILLAGE, row["VID"], "villageNo")] if digits(8)(row["VID"]) else [],
        "status": "inactive" if "OUTDATE" in row else "active",
        "name": f"หมู่บ้าน {row['VID']}",
        "mode": "instance",
        "physicalType": concept(TERMINOLOGY + "location-physical-type", "area", "Area"),
        "managingOrganization": facility(row),
    }


def _home(row: Row) -> Resource:
    identifiers = [identifier(local(row["HOSPCODE"], "HouseId"), row["HID"], "localHouse")]
    area = "".join(row.get(column, "") for column in ("CHANGWAT", "AMPUR", "TAMBON", "VILLAGE"))
    return {
        "resourceType": "Location",
        "identifier": identifiers,
        "status": "inactive" if "OUTDATE" in row else "active",
        "mode": "instance",
        "physicalType": concept(TERMINOLOGY + "location-physical-type", "ho", "House"),
        "address": address(row, "HOUSE"),
        "managingOrganization": facility(row),
        "partOf": logical("Location", VILLAGE, area) if digits(8)(area) else None,
    }


def _coordinate(name: str, other: str) -> Lens:
    """Half of a position; FHIR has no place for one half alone."""
    value = numeric(f"position.{name}")

    def put(resource: Resource, digits: str, row: Row) -> None:
        if value.holds(row.get(other, "")):
            value.put(resource, digits, row)

    return value._replace(put=put)


_POSITION = {
    "LATITUDE": _coordinate("latitude", "LONGITUDE"),
    "LONGITUDE": _coordinate("longitude", "LATITUDE"),
}

MAPS = (
    _PROVIDER,
    file_map(
        "VILLAGE",
        (
            Part(
                FIRST,
                _village,
                {
                    **_POSITION,
                    "OUTDATE": extended("", "ex-location-village-unlist-date", date("valueDate")),
                    "NUMACTUALLY": extended("", "ex-location-household-count", whole("valueInteger")),
                },
            ),
        ),
    ),
    file_map(
        "HOME",
        (
            Part(
                FIRST,
                _home,
                {
                    **_POSITION,
                    "HOUSE_ID": identified(HOUSE, "houseNo", digits(11)),
                    "TELEPHONE": text("telecom.0.value"),
                    "HOUSETYPE": coded_extension("", "ex-address-house-type", "cs-thcc-house-type"),
                    "LOCATYPE": coded_extension("", "ex-location-in-municipality", "cs-thcc-in-municipality"),
                },
                {"TELEPHONE": lambda resource, value, row: place(resource, ("telecom", 0, "system"), "phone")},
            ),
        ),
    ),
    record("DATA_CORRECT", "data-correction", of_person=False),
    record("POLICY", "policy", of_person=False),
)
