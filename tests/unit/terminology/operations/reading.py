"""Short ways to write parameters and to read answers."""

from typing import Any

from terminology.concept import Json

NOW = "2026-11-24T14:00:00Z"


def parameters(*rows: Json, **texts: str) -> Json:
    named = [{"name": name, "valueString": value} for name, value in texts.items()]
    return {"resourceType": "Parameters", "parameter": [*named, *rows]}


def value(answer: Json, name: str) -> Any:
    """The value of the one parameter of that name; None without one."""
    found = [row for row in answer["parameter"] if row["name"] == name]
    assert len(found) <= 1
    return next((v for row in found for key, v in row.items() if key.startswith("value")), None)


def parts(answer: Json, name: str) -> list[dict[str, Any]]:
    """Of each parameter of that name, its parts by name."""
    rows = [row for row in answer["parameter"] if row["name"] == name]
    return [
        {part["name"]: next((v for k, v in part.items() if k.startswith("value")), None) for part in row["part"]}
        for row in rows
    ]
