"""What came in as a row of a file leaves as the same row; what is made on the way is R4."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json, write_json
from fhir_profiles.validation import Validator
from mappers.codes import displays
from mappers.f16.maps import MAPS as F16
from mappers.f43.maps import MAPS as F43
from mappers.id_card.reads import MAPS as CARDS
from mappers.layout import Field, Layout
from mappers.links import Row, organization
from mappers.part import FIRST, Mapped, by_part, file_of
from mappers.population.f43 import f43_rows
from terminology.service import TerminologyService

FAMILIES = {"f43": F43, "f16": F16, "card": CARDS}
EVERY_FILE = [(family, file) for family, maps in FAMILIES.items() for file in sorted(maps)]
VALIDATOR = Validator(Definitions(), TerminologyService())

_words = st.text(
    st.characters(codec="utf-8", exclude_characters="|\r\n", exclude_categories=("Cc", "Cs", "Z")) | st.just(" "),
    min_size=1,
    max_size=24,
).map(str.strip)
_days = st.dates(min_value=date(1900, 1, 1), max_value=date(2399, 1, 1))
_moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2399, 1, 1))
_times = st.times()


def texts(field: Field) -> st.SearchStrategy[str]:
    """Values that a reader lets through, odd spellings among them."""
    if field.type == "date":
        return _days.map("{:%Y%m%d}".format)
    if field.type == "datetime":
        return _moments.map("{:%Y%m%d%H%M%S}".format)
    if field.type == "time":
        return _times.map("{:%H%M%S}".format) | st.just("0830")
    if field.type == "number":
        whole = st.integers(0, 400).map(str)
        return whole | st.sampled_from(["0", "0.0", "007", "36.50", ".5", "12.", "-3", "1,200", "ไม่ทราบ", "1e3"])
    if field.type == "hcode":
        return st.sampled_from(["99999", "AA0000015", "10001"])
    if field.type == "cid":
        return st.sampled_from(["9990000000014", "9991234567890"])
    if field.codes and (known := displays(field.codes)):
        return st.sampled_from(sorted(known)) | _words
    return _words | st.sampled_from(["1", "01", "E119", "I10", "9659", "5849651", "สอง  ช่อง", "E11.9", "S61.90"])


def rows(layout: Layout) -> st.SearchStrategy[Row]:
    fields = layout.fields
    required = {f.name: texts(f) for f in fields if f.required}
    optional = {f.name: texts(f) for f in fields if not f.required}
    return st.fixed_dictionaries(required, optional=optional).map(
        lambda row: {name: row[name] for name in layout.by_name if row.get(name)}
    )


def through_json(mapped: list[Mapped]) -> list[dict[str, Any]]:
    return [read_json(write_json(each.resource)) for each in mapped]


@pytest.mark.parametrize(("family", "file"), EVERY_FILE)
def test_any_row_comes_back_equal(family: str, file: str) -> None:
    file_map = FAMILIES[family][file]
    layout = file_map.layout

    @settings(max_examples=25)
    @given(rows(layout).filter(lambda row: all(row.get(f.name) for f in layout.fields if f.required)))
    def check(row: Row) -> None:
        mapped = file_map.to_fhir(row)
        (parts,) = by_part(through_json(mapped), file_map.system).values()
        assert file_map.from_fhir(parts) == row
        assert file_of(parts[FIRST], family) == file
        assert {each.value for each in mapped} <= set(file_map.values(row).values())
        for resource in parts.values():
            model = get_fhir_model_class(resource["resourceType"])
            model.model_validate_json(write_json(resource))
            assert VALIDATOR.validate(resource) == []

    check()


def test_the_whole_synthetic_population_comes_back_equal() -> None:
    files = Counter()
    for hcode in ("99999", "99998"):
        for file, row in f43_rows(25, seed=2, hcode=hcode):
            files[file] += 1
            file_map = F43[file]
            (parts,) = by_part(through_json(file_map.to_fhir(row)), file_map.system).values()
            assert file_map.from_fhir(parts) == row
            for resource in parts.values():
                assert VALIDATOR.validate(resource) == []
    assert len(files) > 30


def test_a_facility_of_which_only_the_code_is_known_is_an_organization() -> None:
    resource = organization("AA0000015")
    assert VALIDATOR.validate(resource) == []
    assert resource["identifier"][0]["value"] == "AA0000015"
