"""The synthetic population as the 43 files of one facility."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from mappers.f43.layout import LAYOUTS
from mappers.part import row_value
from mappers.population import f43_rare
from mappers.population.f43_person import Row, home, person_rows, provider, village
from mappers.population.f43_visit import visit_rows
from mappers.population.life import UNTIL, people
from mappers.population.places import HEALTH_CENTRE, VILLAGES, staff


def f43_rows(
    count: int, seed: int, *, hcode: str = HEALTH_CENTRE.hcode, years: int = 5, until: date = UNTIL
) -> Iterator[Row]:
    """(file name, {column: value}) of what the facility knows of the first `count` people; empty columns are left out.

    The health centre registers everybody; a hospital those who were there. Rows of one file are not contiguous.
    """
    yield from map(_filled, _everything(count, seed, hcode, years, until))


def _everything(count: int, seed: int, hcode: str, years: int, until: date) -> Iterator[Row]:
    for member in staff(hcode):
        yield provider(member)
    yield from f43_rare.of_facility(hcode)
    responsible = hcode == HEALTH_CENTRE.hcode
    if responsible:
        for place in VILLAGES:
            yield village(place, hcode)
    last_home = ""
    for person in people(count, seed, years=years, until=until):
        yield from f43_rare.answers_to(person, hcode)
        visits = [visit for visit in person.visits if visit.hcode == hcode]
        if not responsible and not visits:
            continue
        if responsible and person.household.hid != last_home:
            last_home = person.household.hid
            yield home(person.household, hcode)
        yield from person_rows(person, hcode)
        yield from f43_rare.of_person(person, hcode)
        keys = set()
        for visit in visits:
            for name, row in (*visit_rows(person, visit), *f43_rare.of_visit(person, visit)):
                # Files that are keyed by day have one row of two visits on the same day.
                key = (name, row_value(LAYOUTS[name], row))
                if key not in keys:
                    keys.add(key)
                    yield name, row


def _filled(row: Row) -> Row:
    """Only columns that the file has and that say something."""
    name, values = row
    known = LAYOUTS[name].by_name
    return name, {column: value for column, value in values.items() if value and column in known}
