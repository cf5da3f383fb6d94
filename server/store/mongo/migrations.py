"""What brings the layout of an older program's store to that of the next version.

Version 1 -> 2: a patient has a key by creation too, resources with unusual clinical dates one of their own; indexes in
order of the earliest date, and all indexes compressed. The keys come from the index values that lie in each document,
so no resource is read anew.
"""

from __future__ import annotations

from server.search.values import Date, Index, Reference
from server.store.mongo.documents import Hashes, is_ordinary
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
    found = (await collection.index_information()).get(name)
    if found is not None and "storageEngine" in found:
        return  # made by this migration before it broke
    if found is not None:
        await collection.drop_index(name)
    key, options = INDEXES[collection.name][name]
    await collection.create_indexes([compressed(IndexModel(key, name=name, **options))])


async def _add_keys(collections: Collections, progress: Progress) -> None:
    state = await collections.state.find_one({"_id": "onecard"})
    assert state is not None, "there is a store"
    hashes = Hashes(keyed(bytes(state["secret"])))
    frames = Frames({each["_id"]: bytes(each["data"]) async for each in collections.dictionary.find({})})
    total = await collections.resource.estimated_document_count()
    done, after = 0, ""
    while True:
        where = {"_id": {"$gt": after}, "c": {"$exists": True}}
        cursor = collections.resource.find(where, {"t": 1, "b": 1}, sort=[("_id", 1)], limit=_STEP)
        found = await cursor.to_list(None)
        if not found:
            return
        added = [(each["_id"], _keys_of(each, frames, hashes)) for each in found]
        changes = [UpdateOne({"_id": id}, {"$addToSet": {"k": {"$each": keys}}}) for id, keys in added if keys]
        if changes:
            await collections.resource.bulk_write(changes, ordered=False)
        done, after = done + len(found), found[-1]["_id"]
        progress("keys of patients and dates", done, max(done, total))


def _keys_of(document: Document, frames: Frames, hashes: Hashes) -> list[int]:
    type = document["t"]
    principal = PRINCIPAL.get(type)
    index: Index = some_values(frames.unpack(document["b"])[1], None)
    patients = {
        value.id
        for code in PATIENT_PARAMETERS
        for value in index.get(code, ())
        if isinstance(value, Reference) and value.type == "Patient" and value.id is not None
    }
    keys = {hashes.patient(type, patient) for patient in patients}
    dates = [value for value in index.get(principal.date, ()) if isinstance(value, Date)] if principal else []
    if not is_ordinary(dates):
        keys.add(hashes.beyond(type))
    return sorted(keys)


MIGRATIONS: Migrations = {1: _keys_and_indexes}
