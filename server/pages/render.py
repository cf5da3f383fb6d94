"""Pages as bytes. `web.py` decides who may see them and adds `style.HEADERS`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2

from fhir_profiles.json_reading import ReadError, read_json, write_pretty_json
from fhir_profiles.narrative import narrative_fault
from server.messages import FhirResponse
from server.pages.names import thai_name
from server.pages.view import rows, target, tree

QUERIES: tuple[tuple[str, str, str], ...] = (
    ("ผู้ป่วยสิบคนแรก", "the first ten patients", "Patient?_count=10"),
    ("ความดันโลหิต ล่าสุดก่อน", "blood pressures, newest first", "Observation?code=http://loinc.org|85354-9&_sort=-date"),
    ("ผู้ป่วยที่มีการวินิจฉัยเบาหวาน", "patients with a diabetes diagnosis", "Patient?_has:Condition:patient:code=E119,E11.9"),
    ("การรับบริการพร้อมผู้ป่วย", "encounters with their patients", "Encounter?_include=Encounter:patient&_count=10"),
    ("ทุกอย่างที่เปลี่ยนแปลง ล่าสุดก่อน", "all that changed, newest first", "_history?_count=20"),
)

PAGING: tuple[tuple[str, str], ...] = (
    ("first", "« หน้าแรก / first"),
    ("previous", "‹ ก่อนหน้า / previous"),
    ("next", "ถัดไป / next ›"),
    ("last", "หน้าสุดท้าย / last »"),
)

NARRATIVE_FRAME = '<!doctype html><meta charset="utf-8"><base target="_blank">'


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("server.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(template: str, **values: object) -> bytes:
    return _templates().get_template(template).render(**values).encode()


BELONGING = (
    "Encounter?_sort=-date",
    "Condition",
    "AllergyIntolerance",
    "Observation?_sort=-date",
    "MedicationDispense",
    "Immunization",
    "Appointment",
)
"""What a page of a patient leads to: searches within the compartment."""


def start_page(counts: Mapping[str, int], base: str, *, signed_in: bool) -> bytes:
    """What is stored (live resources by type) and queries to try; base is the FHIR base URL or path."""
    listed = sorted(((t, thai_name(t), n) for t, n in counts.items() if n), key=lambda row: (-row[2], row[0]))
    return _page("start.html", counts=listed, base=base, queries=QUERIES, signed_in=signed_in)


def sign_in_page(*, failed: bool, next_path: str) -> bytes:
    """Form that posts `token` and `next` to /sign-in; next_path must be a path of this server."""
    return _page("sign_in.html", failed=failed, next=next_path, signed_in=False)


def readable(response: FhirResponse, base: str, *, signed_in: bool) -> bytes:
    """Any FHIR answer as a page: elements with links, a table for a Bundle, the JSON beside."""
    resource = _resource(response)
    kind = str(resource.get("resourceType", "HTTP"))
    meta = resource.get("meta") if isinstance(resource.get("meta"), dict) else {}
    assert isinstance(meta, dict)
    number = str(resource.get("id", ""))
    is_bundle = (kind == "Bundle" and "entry" in resource) or resource.get("type") in ("searchset", "history")
    stored = bool(number and meta.get("versionId"))
    narrative, refused = _narrative(resource)
    own = target(f"{kind}/{number}", base) if stored else None
    return _page(
        "resource.html",
        type=kind,
        thai=thai_name(kind),
        id=number if stored else "",
        version=str(meta.get("versionId", "")),
        updated=str(meta.get("lastUpdated", "")),
        history=own + "/_history" if own else None,
        belonging=[(thai_name(path.partition("?")[0]), path.partition("?")[0], f"{own}/{path}") for path in BELONGING]
        if own and kind == "Patient"
        else [],
        everything=own + "/$everything" if own and kind in ("Patient", "Encounter") else None,
        status=response.status,
        issues=_issues(resource),
        narrative=narrative,
        narrative_refused=refused,
        is_bundle=is_bundle,
        total=resource.get("total"),
        rows=rows(resource, base) if is_bundle else [],
        links=_links(resource) if is_bundle else [],
        nodes=[] if is_bundle else tree(resource, base),
        json=write_pretty_json(resource).decode(),
        signed_in=signed_in,
    )


def _resource(response: FhirResponse) -> dict[str, Any]:
    if response.resource is not None:
        return response.resource
    if not response.body:
        return {}
    try:
        return read_json(response.body)
    except ReadError:
        # Raw content of a Binary is not FHIR: a page cannot show it.
        return {"contentType": response.media_type, "size": len(response.body)}


def _issues(resource: dict[str, Any]) -> list[dict[str, str]]:
    if resource.get("resourceType") != "OperationOutcome":
        return []
    return [
        {
            "severity": str(issue.get("severity", "")),
            "code": str(issue.get("code", "")),
            "diagnostics": str(issue.get("diagnostics") or (issue.get("details") or {}).get("text") or ""),
            "expression": ", ".join(issue.get("expression", [])),
        }
        for issue in resource.get("issue", [])
    ]


def _narrative(resource: dict[str, Any]) -> tuple[str | None, bool]:
    """The narrative as a document for the sandboxed frame, and whether one was refused."""
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return None, False
    if narrative_fault(div):
        return None, True
    return NARRATIVE_FRAME + div, False


def _links(bundle: dict[str, Any]) -> list[tuple[str, str, str]]:
    urls = {link.get("relation"): str(link.get("url", "")) for link in bundle.get("link", [])}
    urls["previous"] = urls.get("previous") or urls.get("prev", "")
    return [(relation, label, urls[relation]) for relation, label in PAGING if urls.get(relation)]
