"""Writes docs/conformance.md from `claims` and the names of the tests: `python -m conformance.conformance_page`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from conformance.claims import NOT_SUPPORTED, R4, SECTIONS, Section

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "conformance.md"

_HEAD = """\
# Conformance to FHIR R4 (4.0.1)

Made by `python -m conformance.conformance_page`; a test keeps it current. Every line with a test is the name of that
test: run it with `make test`, or alone with `.venv/bin/python -m pytest tests/FILE -k NAME`. The CapabilityStatement at
`[base]/metadata` says the same to machines. What is not supported is said too.

"""


def sentences(file: Path) -> Iterator[tuple[str, str]]:
    """(name of the test, the sentence it is) for every test of a file, in its order."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, node.name.removeprefix("test_").replace("_", " ")


def conformance_page() -> str:
    parts = [_HEAD]
    parts += [_section(section) for section in SECTIONS]
    parts.append("## Not supported\n\n")
    parts += [f"- {what} ([{page}]({R4}{page}))\n" for what, page in NOT_SUPPORTED]
    return "".join(parts)


def _section(section: Section) -> str:
    links = ", ".join(f"[{url}]({R4}{url})" for url in section.urls)
    lines = [f"## {section.title}\n\n{links}\n"]
    for name in section.tests:
        lines.append(f"\n`tests/{name}`\n\n")
        lines += [f"- {sentence}\n" for _, sentence in sentences(ROOT / "tests" / name)]
    if section.gaps:
        lines.append("\nNot, or otherwise than a reader might expect:\n\n")
        lines += [f"- {gap}\n" for gap in section.gaps]
    return "".join(lines) + "\n"


def main() -> None:
    PAGE.write_text(conformance_page(), "utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
