"""Facilities, staff and villages of the synthetic population as Organization, Practitioner(Role) and Location."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mappers.population.model import Facility, Provider, Village
from mappers.population.names import PREFIXES
from mappers.population.places import FACILITIES, PROVIDERS, TAMBON, VILLAGES

Resource = dict[str, Any]

HCODE = "https://terms.sil-th.org/id/th-moph-hcode"
CID = "https://terms.sil-th.org/id/th-cid"
GENDER = {"1": "male", "2": "female"}
_IDENTIFIER_TYPE = "https://terms.sil-th.org/core/CodeSystem/cs-th-identifier-type"
_PROVIDER_TYPE = "https://terms.sil-th.org/core/CodeSystem/cs-thcc-individual-provider-type"
_PROVIDER_WORDS = {"01": "แพทย์", "02": "ทันตแพทย์", "03": "พยาบาลวิชาชีพ", "05": "นักวิชาการสาธารณสุข"}
_LICENCES = {"01": ("th-doctor-id", "proDoc"), "02": ("th-nurse-id", "proNurse"), "04": ("th-dentist-id", "proDent")}


def local(hcode: str, what: str) -> str:
    """Identifier system of a facility's own numbers: HN, VN, AN, PID, Drug, Lab ..."""
    return f"https://terms.sil-th.org/hcode/5/{hcode}/{what}"


def typed(code: str, system: str, value: str) -> dict[str, Any]:
    """An Identifier with its Thai identifier type."""
    return {
        "use": "official",
        "type": {"coding": [{"system": _IDENTIFIER_TYPE, "code": code}]},
        "system": system,
        "value": value,
    }


def organization_id(hcode: str) -> str:
    return f"facility-{hcode}"


def practitioner_id(provider: Provider) -> str:
    return f"provider-{provider.hcode}-{provider.code.lower()}"


def village_id(village: Village) -> str:
    return f"village-{village.vid}"


def places() -> Iterator[Resource]:
    """Every Organization, Practitioner, PractitionerRole and Location, with ids, those referred to first."""
    yield from map(_organization, FACILITIES)
    for provider in PROVIDERS:
        yield _practitioner(provider)
        yield _role(provider)
    yield from map(_village, VILLAGES)


def _organization(facility: Facility) -> Resource:
    return {
        "resourceType": "Organization",
        "id": organization_id(facility.hcode),
        "identifier": [typed("hcode", HCODE, facility.hcode)],
        "active": True,
        "type": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "prov"}]},
        ],
        "name": facility.name,
        "address": [_address()],
    }


def _address() -> dict[str, Any]:
    _, tambon, amphoe, province, postcode = TAMBON
    return {
        "text": f"ต.{tambon} อ.{amphoe} จ.{province} {postcode}",
        "city": tambon,
        "district": amphoe,
        "state": province,
        "postalCode": postcode,
        "country": "TH",
    }


def _practitioner(provider: Provider) -> Resource:
    resource: Resource = {
        "resourceType": "Practitioner",
        "id": practitioner_id(provider),
        "identifier": [typed("localProv", local(provider.hcode, "Provider"), provider.code)],
        "active": True,
        "name": [
            {
                "use": "official",
                "text": f"{PREFIXES[provider.prename][0]}{provider.given} {provider.family}",
                "family": provider.family,
                "given": [provider.given],
                "prefix": [PREFIXES[provider.prename][0]],
            }
        ],
        "gender": GENDER[provider.sex],
        "birthDate": provider.birth.isoformat(),
    }
    if provider.council:
        system, code = _LICENCES[provider.council]
        resource["identifier"].append(typed(code, f"https://terms.sil-th.org/id/{system}", provider.licence))
    return resource


def _role(provider: Provider) -> Resource:
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{provider.hcode}-{provider.code.lower()}",
        "active": True,
        "period": {"start": provider.start.isoformat()},
        "practitioner": {"reference": f"Practitioner/{practitioner_id(provider)}"},
        "organization": {"reference": f"Organization/{organization_id(provider.hcode)}"},
        "code": [
            {"coding": [{"system": _PROVIDER_TYPE, "code": provider.kind, "display": _PROVIDER_WORDS[provider.kind]}]}
        ],
    }


def _village(village: Village) -> Resource:
    return {
        "resourceType": "Location",
        "id": village_id(village),
        "identifier": [typed("villageNo", "https://terms.sil-th.org/id/th-dopa-village-no", village.vid)],
        "status": "active",
        "name": village.name,
        "mode": "instance",
        "address": _address(),
        "physicalType": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/location-physical-type", "code": "area"}]
        },
        "position": {"longitude": village.longitude, "latitude": village.latitude},
        "managingOrganization": {"reference": f"Organization/{organization_id(FACILITIES[0].hcode)}"},
    }
