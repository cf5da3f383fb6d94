"""The tables of docs/profiles.md: `python -m fhir_profiles.thai.page` writes them anew between their marks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fhir_profiles.thai import ThaiProfiles
from fhir_profiles.thai.extensions import OWN, Row, published_url, table
from fhir_profiles.thai.rules import RULES
from fhir_profiles.thai.systems import LOCAL, identifier_kinds

PAGE = Path(__file__).parent.parent.parent / "docs" / "profiles.md"
BEGIN = "<!-- generated: python -m fhir_profiles.thai.page -->"
END = "<!-- end of what is generated -->"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *map(list, rows)]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]


def tables() -> str:
    """Profiles, rules, identifiers and extensions, as Markdown."""
    sources = sorted(ThaiProfiles().sources.items(), key=lambda each: (each[1]["type"], each[0]))
    kinds = identifier_kinds().values()
    lines = ["## Profiles", ""]
    lines += _table(
        ("type", "profile", "what", "ไทย"),
        ((source["type"], f"`{name}`", source["text"], source["thai"]) for name, source in sources),
    )
    lines += ["## Rules", ""]
    lines += _table(
        ("key", "severity", "what is asked", "ไทย"),
        ((f"`{key}`", rule.severity, rule.english, rule.thai) for key, rule in RULES.items()),
    )
    lines += ["## Identifiers", ""]
    lines += _table(
        ("slice", "code of the type", "system", "what", "ไทย"),
        (
            (
                f"`{kind.name}`",
                f"`{kind.code}`",
                f"`{LOCAL}5/{{hcode}}/{kind.system}`" if kind.is_local else f"`{kind.system}`" if kind.system else "",
                kind.title,
                kind.thai,
            )
            for kind in kinds
        ),
    )
    lines += ["## Extensions", ""]
    lines += _table(
        ("extension", "stands at", "value", "ไทย"),
        (
            (
                f"`{published_url(identity)}`",
                row.context.replace("; ", ", "),
                _value(row, parts),
                row.thai,
            )
            for identity, (row, *parts) in table().items()
        ),
    )
    return "\n".join(lines)


def _value(row: Row, parts: Iterable[Row]) -> str:
    if row.id.startswith(OWN):
        return "file: code, and columns by name: string"
    return row.type or ", ".join(f"{part.part}: {part.type}" for part in parts)


def page(text: str) -> str:
    """The page with new tables.   Raises: ValueError (the marks are not there)."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks of its generated part")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
