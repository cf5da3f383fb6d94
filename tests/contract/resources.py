"""Small resources with hand-made index values, and the clock of the contract tests."""

from __future__ import annotations

import json
from typing import Any

from server.search import truth
from server.search.query import Criterion, Parameter
from server.search.values import Index
from server.store.contract import Body, Put
from tests.contract.worlds import PARAMETERS


class Clock:
    """Milliseconds UTC that move only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_795_500_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


def put(type: str, id: str, index: Index | None = None, *, note: str = "", **more: Any) -> Put:
    """A Put of `{"resourceType", "id", "meta", "note"?}`."""
    head = json.dumps({"resourceType": type, "id": id}, separators=(",", ":"))[:-1] + ',"meta":{'
    tail = "}" + (f',"note":{json.dumps(note, ensure_ascii=False)}' if note else "") + "}"
    return Put(type, id, Body(head.encode(), tail.encode()), index or {}, **more)


class HandRules:
    """SearchRules for resources whose index values a test wrote by hand."""

    def __init__(self) -> None:
        self.indexes: dict[tuple[str, str], Index] = {}

    def remember(self, put: Put) -> Put:
        self.indexes[put.type, put.id] = put.index
        return put

    def extract(self, resource_type: str, body: bytes) -> Index:
        return self.indexes.get((resource_type, json.loads(body)["id"]), {})

    def parameter(self, resource_type: str, code: str) -> Parameter | None:
        return next((p for p in PARAMETERS.get(resource_type, ()) if p.code == code), None)

    def holds(self, criterion: Criterion, resource_type: str, index: Index) -> bool:
        return truth.holds(criterion, index)
