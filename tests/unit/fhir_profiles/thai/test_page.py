"""docs/profiles.md says what the profiles are now."""

from __future__ import annotations

import pytest

from fhir_profiles.thai.page import BEGIN, PAGE, page


def test_the_page_is_current() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text  # else: python -m fhir_profiles.thai.page


def test_a_page_that_is_not_current_is_noticed() -> None:
    text = PAGE.read_text("utf-8").replace("`th-patient` |", "`th-person` |")
    assert page(text) != text
    with pytest.raises(ValueError, match="marks"):
        page(text.replace(BEGIN, ""))
