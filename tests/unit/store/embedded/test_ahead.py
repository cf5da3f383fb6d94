"""Rows made before their transaction are those that the transaction would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.search.types.number import above
from server.search.values import Date, Index, Number, Quantity, Reference, Token
from server.store.contract import Put
from server.store.embedded.ahead import Ahead, Early, settled
from server.store.embedded.driver import Connection, connect
from server.store.embedded.rows import DAY, IDENTIFIER, TEXT, Builder, Parameters
from server.store.embedded.schema import prepare
from server.store.embedded.symbols import SHAPE, Allocation, Symbols
from tests.contract.resources import HandRules, put

WEIGHT = Number(5.0, above(5.0), 5.0)
INDEX: Index = {
    "code": [Token("http://loinc.org", "8867-4", "Heart rate"), Token("http://loinc.org", "1-8")],
    "category": [Token(None, None, "only a text")],
    "date": [Date(0, DAY)],
    "subject": [Reference("Patient", "p", None, None)],
    "focus": [Reference("Observation", "sibling", None, None), Reference(None, None, None, "http://far.example")],
    "performer": [Reference("Practitioner", "dr", None, None, Token("http://id.example", "7"))],
    "identifier": [Token("http://hn.example", "1")],
    "value-quantity": [Quantity(WEIGHT, None, "x", None, WEIGHT, "x"), Quantity(WEIGHT, None, "y", None, WEIGHT, "y")],
}


class Desk:
    """One process: what it remembers, and its work ahead."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.symbols = Symbols()
        self.parameters = Parameters(HandRules().parameter)
        self.ahead = Ahead(connection, self.symbols, self.parameters)

    def early(self, *changes: Put) -> list[Early]:
        found = self.ahead.of(changes, {(change.type, change.id) for change in changes})
        return [found[id(change)] for change in changes]

    def commit(self, early: Early, index: Index) -> None:
        """Settles rows in a transaction, where they must be those that it makes itself."""
        allocation = Allocation(self.connection, self.symbols)
        rows = settled(early, allocation, allocation.target)
        t = allocation.type("Observation")
        assert rows == Builder(allocation, self.parameters).build("Observation", t, index, allocation.target)
        allocation.publish()


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    opened = connect(tmp_path / "s.db", create=True)
    prepare(opened, "Asia/Bangkok")
    return opened


@pytest.fixture
def desk(connection: Connection) -> Desk:
    """The types and parameters are known, nothing else."""
    desk = Desk(connection)
    allocation = Allocation(connection, desk.symbols)
    for code in (*INDEX, SHAPE, "category" + TEXT, "performer" + IDENTIFIER):
        allocation.param(allocation.type("Observation"), code)
    allocation.publish()
    return desk


def test_what_was_never_stored_is_left_to_the_transaction(connection: Connection) -> None:
    assert Desk(connection).ahead.of([put("Observation", "o", INDEX)]) == {}


def test_new_codes_and_absent_targets_are_put_in_their_places(desk: Desk) -> None:
    [early] = desk.early(put("Observation", "o", INDEX))
    assert early.made is None
    assert early.missing.symbols
    assert early.missing.texts
    assert early.missing.targets.keys() == {("Patient", "p"), ("Observation", "sibling"), ("Practitioner", "dr")}
    assert early.missing.elsewhere.keys() == {"http://far.example"}
    desk.commit(early, INDEX)


def test_the_second_time_only_what_is_absent_is_missing(desk: Desk) -> None:
    desk.commit(*desk.early(put("Observation", "o", INDEX)), INDEX)
    [early] = desk.early(put("Observation", "o2", INDEX))
    assert (early.missing.symbols, early.missing.texts) == ({}, [])
    assert len(early.missing.targets) == 3
    desk.commit(early, INDEX)


def test_what_another_process_stored_is_found(desk: Desk) -> None:
    index: Index = {name: INDEX[name] for name in ("code", "category", "date", "subject", "value-quantity")}
    allocation = Allocation(desk.connection, desk.symbols)
    t = allocation.type("Patient")
    desk.connection.execute("INSERT INTO res VALUES(7, ?, 'p', 1, 1, 0, 0, NULL, NULL, NULL, NULL)", (t,))
    desk.commit(*desk.early(put("Observation", "o", index)), index)
    another = Desk(desk.connection)
    [early] = another.early(put("Observation", "o", index))
    assert early.made is not None
    assert not early.missing
    assert [patient for patient, _ in early.rows.comp] == [7]
    another.commit(early, index)


def test_resources_of_one_commit_wait_for_their_numbers(desk: Desk) -> None:
    change = put("Observation", "c", {"focus": [Reference("Observation", "d", None, None)]})
    referring, referred = desk.early(change, put("Observation", "d", {}))
    assert referring.missing.targets.keys() == {("Observation", "d")}
    assert not referred.missing.targets
    made = settled(referring, Allocation(desk.connection, desk.symbols), lambda type, id: 99)
    assert [target for target, _ in made.rows.ref] == [99]
