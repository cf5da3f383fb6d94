"""Files are loaded together only where none refers to another that is still on its way."""

from __future__ import annotations

from pathlib import Path

from mappers.f43.files import read_rows
from mappers.rows import LAYOUTS, MAPS
from server.intake.f43.jobs import PERSON_FILES
from server.intake.f43.keys import REFERRED_TO, Home, Ids, logical_references

GOLDEN = Path(__file__).parents[3] / "golden/f43/rows"


def references() -> set[tuple[str, str]]:
    """(file, file that one of its rows refers to) of every golden row."""
    ids, found = Ids(b"x" * 32), set()
    for path in sorted(GOLDEN.glob("*.txt")):
        file = path.stem
        for row in read_rows(file, [path.read_bytes()]):
            for mapped in MAPS[file].to_fhir(row.values) if row.values and not row.refused else ():
                for element in logical_references(mapped.resource):
                    meant = ids.meant(element, row.values, file)
                    if isinstance(meant, Home):
                        found.add((file, meant.file))
    return found


def test_whatever_is_referred_to_is_waited_for() -> None:
    found = references()
    assert {("DIAGNOSIS_OPD", "SERVICE"), ("DIAGNOSIS_OPD", "PROVIDER")} <= found
    for file, other in found:
        assert file == other or other in REFERRED_TO, (file, other)


def test_whatever_is_referred_to_comes_earlier() -> None:
    order = [PERSON_FILES[0] if file in PERSON_FILES else file for file in LAYOUTS]
    late = {(file, other) for file, other in references() if order.index(other) > order.index(file)}
    assert late == set()


def test_the_id_of_a_row_is_the_hmac_that_stores_have_held_from_the_beginning() -> None:
    ids = Ids(b"secret")
    for _ in range(2):
        assert ids.of("SERVICE", "99999/S1#pulse") == "df389234-4876-8e7e-a1e6-e6c726843fd0"
    assert ids.of("SERVICE", "99999/S2#pulse") != ids.of("SERVICE", "99999/S1#pulse")


def test_references_by_identifier_are_found_wherever_they_are() -> None:
    named = {"identifier": {"value": "1"}, "type": "Patient"}
    resource = {
        "subject": dict(named),
        "participant": [{"actor": dict(named)}, {"actor": {**named, "reference": "Patient/1"}}],
        "extension": [{"valueReference": dict(named)}],
        "identifier": [{"value": "1", "type": {"text": "HN"}}],
        "note": [{"text": "type identifier"}],
    }
    assert logical_references(resource) == [named] * 3
