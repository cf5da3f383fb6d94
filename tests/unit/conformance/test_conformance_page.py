"""docs/conformance.md says what the tests show, and all of it."""

from __future__ import annotations

from conformance.claims import SECTIONS
from conformance.conformance_page import PAGE, ROOT, conformance_page, sentences


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == conformance_page(), "run: python -m conformance.conformance_page"


def test_every_chapter_of_tests_is_claimed() -> None:
    claimed = {name for section in SECTIONS for name in section.tests}
    written = {str(file.relative_to(ROOT / "tests")) for file in (ROOT / "tests" / "spec").rglob("test_*.py")}
    assert written <= claimed


def test_every_claim_has_tests() -> None:
    for section in SECTIONS:
        for name in section.tests:
            assert list(sentences(ROOT / "tests" / name)), name
