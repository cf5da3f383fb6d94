"""Synthetic resources that the tests of this folder store and ask for; nobody of these exists."""

from __future__ import annotations

from typing import Any

from tests.serving import Answer, Client

LOINC = "http://loinc.org"
HN = "https://hospital.example/hn"
VALUE_TAG = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def patient(id_: str | None = None, /, **more: Any) -> dict[str, Any]:
    """A Patient, its elements as given; `patient("1", active=True)`."""
    return {"resourceType": "Patient", **({"id": id_} if id_ else {}), **more}


def observation(id_: str | None = None, /, **more: Any) -> dict[str, Any]:
    """A final Observation of a body weight unless other elements are given."""
    return {
        "resourceType": "Observation",
        **({"id": id_} if id_ else {}),
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
        **more,
    }


def organization(id_: str | None = None, /, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Organization", **({"id": id_} if id_ else {}), "name": "Ban Suan clinic", **more}


def reference(to: str) -> dict[str, str]:
    return {"reference": to}


def identifier(value: str, system: str = HN) -> list[dict[str, str]]:
    return [{"system": system, "value": value}]


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


async def transact(fhir: Client, *entries: dict[str, Any], **more: Any) -> Answer:
    return await fhir.post("", bundle("transaction", *entries), **more)


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    """Bundle.entry with a request; `full_url=` for its fullUrl, other names go into the request."""
    full_url = request.pop("full_url", None)
    return {
        **({"fullUrl": full_url} if full_url else {}),
        **({"resource": resource} if resource is not None else {}),
        "request": {"method": method, "url": url, **request},
    }


def ids_of(searchset: dict[str, Any], mode: str = "match") -> list[str]:
    """Logical ids of the entries of a searchset, in order."""
    return [each["resource"]["id"] for each in searchset.get("entry", []) if each["search"]["mode"] == mode]


def links_of(searchset: dict[str, Any]) -> dict[str, str]:
    return {each["relation"]: each["url"] for each in searchset["link"]}
