"""What brings the layout of an older program's store to that of the next version.

Version 1 -> 2: a patient has a key by creation too, resources with unusual clinical dates one of their own; indexes in
order of the earliest date, and all indexes compressed. The keys come from the index values that lie in each document,
so no resource is read anew.

Version 2 -> 3: the highest end of the clinical dates, keys of the month in which it lies, and indexes that show it; the
intervals of ordinary clinical dates are gone, for which the fields stand.

Version 3 -> 4: the index of the commit order has the type first.
"""

from __future__ import annotations

from collections.abc import Callable

from server.search.values import Date, Index, Reference
from server.store.mongo.dates import periods_of
from server.store.mongo.documents import Hashes, ends, is_ordinary, space
from server.store.mongo.driver import Collection, Document, IndexModel, UpdateOne, compressed
from server.store.mongo.frames import Frames, some_values
from server.store.mongo.hashing import keyed
from server.store.mongo.schema import INDEXES, Collections, Migrations, Progress
from server.store.principal import PATIENT_PARAMETERS, PRINCIPAL

_STEP = 500
"""Documents that are brought up together."""


async def _keys_and_indexes(collections: Collections, progress: Progress) -> None:
    await _add_keys(collections, progress)
    both = (collections.resource, collections.history)
    steps = [(collection, name) for collection in both for name in INDEXES[collection.name]]
    for done, (collection, name) in enumerate(steps):
        progress(f"{collection.name}.{name}", done, len(steps))
        await _make_compressed(collection, name)


async def _make_compressed(collection: Collection, name: str) -> None:
    key, options = INDEXES[collection.name][name]
    found = (await collection.index_information()).get(name)
    if found is not None and "storageEngine" in found and [tuple(part) for part in found["key"]] == key:
        return  # made by this migration before it broke
    if found is not None:
        await collection.drop_index(name)
    await collection.create_indexes([compressed(IndexModel(key, name=name, **options))])


async def _add_keys(collections: Collections, progress: Progress) -> None:
    frames, hashes = await _reading(collections)

    def change(document: Document) -> Document | None:
        keys = _keys_of(document, frames, hashes)
        return {"$addToSet": {"k": {"$each": keys}}} if keys else None

    await _changed(collections, "keys of patients and dates", {"c": {"$exists": True}}, change, progress)


async def _reading(collections: Collections) -> tuple[Frames, Hashes]:
    """What reads and makes the keys of documents."""
    state = await collections.state.find_one({"_id": "onecard"})
    assert state is not None, "there is a store"
    frames = Frames({each["_id"]: bytes(each["data"]) async for each in collections.dictionary.find({})})
    return frames, Hashes(keyed(bytes(state["secret"])))


async def _changed(
    collections: Collections,
    what: str,
    where: Document,
    change: Callable[[Document], Document | None],
    progress: Progress,
) -> None:
    """Changes current resources step by step.   change: update of a document with `_id t b r`; None: it stays."""
    total = await collections.resource.estimated_document_count()
    done, after = 0, ""
    while True:
        step = {"_id": {"$gt": after}, **where}
        cursor = collections.resource.find(step, {"t": 1, "b": 1, "r": 1}, sort=[("_id", 1)], limit=_STEP)
        found = await cursor.to_list(None)
        if not found:
            return
        changes = [UpdateOne({"_id": each["_id"]}, update) for each in found if (update := change(each)) is not None]
        if changes:
            await collections.resource.bulk_write(changes, ordered=False)
        done, after = done + len(found), found[-1]["_id"]
        progress(what, done, max(done, total))


def _index(document: Document, frames: Frames) -> Index:
    return some_values(frames.unpack(document["b"])[1], None)


def _keys_of(document: Document, frames: Frames, hashes: Hashes) -> list[int]:
    type = document["t"]
    index = _index(document, frames)
    patients = {
        value.id
        for code in PATIENT_PARAMETERS
        for value in index.get(code, ())
        if isinstance(value, Reference) and value.type == "Patient" and value.id is not None
    }
    return sorted(hashes.patient(type, patient) for patient in patients)


async def _ends_of_dates(collections: Collections, progress: Progress) -> None:
    frames, hashes = await _reading(collections)
    intervals: dict[str, set[int]] = {}
    async for each in collections.symbol.find({"s": "date"}):
        intervals.setdefault(each["k"], set()).add(each["_id"])

    def change(document: Document) -> Document:
        type = document["t"]
        code = PRINCIPAL[type].date
        dates = [value for value in _index(document, frames)[code] if isinstance(value, Date)]
        fields = ends(dates)
        keys = [hashes.period(type, name) for name in periods_of(fields["e"])]
        if not is_ordinary(dates):
            return {"$set": fields, "$addToSet": {"k": {"$each": [*keys, hashes.beyond(type)]}}}
        kept = [each for each in document["r"] if each["p"] not in intervals[space(type, code)]]
        update: Document = {"$set": {**fields, "r": kept}} if kept else {"$set": fields, "$unset": {"r": ""}}
        return {**update, "$addToSet": {"k": {"$each": keys}}}

    where = {"d": {"$exists": True}, "e": {"$exists": False}}
    await _changed(collections, "ends of clinical dates", where, change, progress)
    for done, name in enumerate(_WITH_ENDS):
        progress(f"resource.{name}", done, len(_WITH_ENDS))
        await _make_compressed(collections.resource, name)


_WITH_ENDS = ("c", "d")
"""Indexes that show where the clinical dates end."""


async def _order_by_type(collections: Collections, progress: Progress) -> None:
    both = (collections.resource, collections.history)
    for done, collection in enumerate(both):
        progress(f"{collection.name}.q", done, len(both))
        await _make_compressed(collection, "q")


MIGRATIONS: Migrations = {1: _keys_and_indexes, 2: _ends_of_dates, 3: _order_by_type}
