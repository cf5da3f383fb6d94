"""Stores filled with synthetic people in this process, and the searches that growth and plans ask of them."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import quote

from conformance.bench.data import SEED, Pools, noted
from mappers.population import resources
from server.app import build_context
from server.clock import now_ms
from server.config import Settings
from server.context import Context
from server.interactions.storing import commit, prepare
from server.store.contract import instant

TOGETHER = 500
"""Resources of one commit while the store is filled."""

BUDGETED = {
    "read by id": "/Observation/{observation}",
    "_id": "/Patient?_id={patient}",
    "identifier": "/Patient?identifier={identifier}",
    "patient": "/Observation?patient=Patient/{patient}&_count=10",
    "patient and code": "/Observation?patient=Patient/{patient}&code={code}&_count=10",
    "patient and code, newest first": "/Observation?patient=Patient/{patient}&code={code}&_sort=-date&_count=10",
    "reference": "/Observation?encounter=Encounter/{encounter}&_count=10",
    "code": "/Observation?code={code}&_count=10",
    "code, newest first": "/Observation?code={code}&_sort=-date&_count=10",
    "condition code": "/Condition?code={condition}&_count=10",
    "date from": "/Observation?date=ge{date}&_count=10",
    "one day": "/Observation?date={date}&_count=10",
    "day, newest first": "/Observation?date={date}&_sort=-date&_count=10",
    "family name": "/Patient?family={family}&_count=10",
    "birth date": "/Patient?birthdate={born}&_count=10",
    "last changed first": "/Observation?_sort=-_lastUpdated&_count=10",
}
"""First pages whose p50 at a million resources may be twice that at ten thousand."""
OTHERS = {
    "code and month": "/Observation?code={code}&date={month}&_count=10",
    "month, newest first": "/Observation?date={month}&_sort=-date&_count=10",
    "part of a name": "/Patient?name:contains={part}&_count=10",
    "value of a code": "/Observation?code-value-quantity={code}$gt5&_count=10",
    "chain: name of the patient": "/Condition?patient.family={family}&_count=10",
    "_has": "/Patient?_has:Condition:patient:code={condition}&_count=10",
    ":not": "/Observation?category:not=vital-signs&_count=10",
    ":missing": "/Condition?abatement-date:missing=true&_count=10",
}
HISTORIES = {
    "history of a resource": "/Observation/{observation}/_history?_count=10",
    "history of a type": "/{type}/_history?_count=10",
    "history of all": "/_history?_count={few}",
    "nothing new since": "/_history?_since={now}",
    "nothing new of a type since": "/{type}/_history?_since={now}",
}
"""A poller asks for what is new since it asked last, mostly nothing."""
FIRST_PAGES = BUDGETED | OTHERS
PLANNED = FIRST_PAGES | {
    "exact name": "/Patient?family:exact={family}&_count=10",
    "token without system": "/Observation?status=final&_count=10",
    "either code": "/Observation?code={code},{code}&_count=10",
    "value in a unit": "/Observation?value-quantity=gt100&_count=10",
    "changed since": "/Observation?_lastUpdated=gt2020-01-01&_count=10",
    "changed since, of a patient": "/Observation?patient=Patient/{patient}&_lastUpdated=gt2020-01-01&_count=10",
    "oldest first of a code": "/Observation?code={code}&_sort=date&_count=10",
    "sorted by name": "/Patient?_sort=family&_count=10",
    "name, sorted by birth date": "/Patient?family={family}&_sort=birthdate&_count=10",
    "text of a code": "/Condition?code:text=diabetes&_count=10",
    "compartment": "/Patient/{patient}/Condition?_count=10",
    "_filter": "/Observation?_filter=code eq {code} and date ge {date}&_count=10",
}
TOTALS = {
    "code": "/Observation?code={code}",
    "code and month": "/Observation?code={code}&date={month}",
    "date from": "/Observation?date=ge{date}",
    ":not": "/Observation?category:not=vital-signs",
    "chain: name of the patient": "/Condition?patient.family={family}",
    "_has": "/Patient?_has:Condition:patient:code={condition}",
    "_filter": "/Observation?_filter=code eq {code} and date ge {date}",
    "part of a name": "/Patient?name:contains={part}",
    "value of a code": "/Observation?code-value-quantity={code}$gt5",
}


class Values(Pools):
    """Pools, and what else the shapes ask for."""

    def any(self, pick: Random) -> dict[str, str]:
        date, family = pick.choice(self.dates), pick.choice(self.families)
        return {
            "observation": pick.choice(self.ids["Observation"]),
            "patient": pick.choice(self.ids["Patient"]),
            "encounter": pick.choice(self.ids["Encounter"]),
            "identifier": pick.choice(self.identifiers),
            "code": pick.choice(self.codes),
            "condition": pick.choice(self.condition_codes),
            "date": date,
            "month": date[:7],
            "family": family,
            "part": family[1:4],
            "type": pick.choice(sorted(self.ids)),
            "few": str(pick.randrange(5, 15)),
            "now": instant(now_ms()),
            "born": f"{pick.randrange(1940, 2020)}-{pick.randrange(1, 13):02}",
        }

    def urls(self, shape: str, count: int, seed: int = 5) -> list[str]:
        pick = Random(seed)
        found = []
        for _ in range(count):
            values = {name: quote(text, safe="") for name, text in self.any(pick).items()}
            found.append(quote(shape, safe="/?=&{}$:-_,").format(**values))
        return found


class World(NamedTuple):
    """One store, and what can be asked of it."""

    ctx: Context
    values: Values
    size: int
    made: int
    """Resources that were put into it now."""
    seconds: float
    """That it took."""
    cpu: float
    """Processor seconds of this process for that."""


async def filled(store: str, size: int, folder: Path) -> World:
    """A store of that URL with as many resources; what a run before has put into it is not put again."""
    ctx = await build_context(Settings(store=store, data_folder=str(folder)))
    values = Values()
    rest = itertools.islice(resources(size, SEED), size)
    there = sum((await ctx.store.info()).counts.values())
    for each in itertools.islice(rest, there):
        noted(each, values)
    cpu, began = time.process_time(), time.perf_counter()
    while group := list(itertools.islice(rest, TOGETHER)):
        await commit(ctx, [prepare(ctx, "", noted(each, values), each["id"], "PUT").put for each in group])
    return World(ctx, values, size, size - there, time.perf_counter() - began, time.process_time() - cpu)
