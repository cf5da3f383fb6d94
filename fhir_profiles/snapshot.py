"""Snapshots made from differentials.   https://hl7.org/fhir/R4/profiling.html#snapshot

A differential says what a profile changes; the snapshot is the base's snapshot with those changes, the types it goes
into opened, the slices beside what they slice. A path that names a type (`Observation.valueQuantity`) stands for a
type slice of `value[x]`, and limits the choice to the types so named, as in the published R4 profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.json_reading import copy_json

Row = dict[str, Any]
"""One ElementDefinition."""

LISTED = frozenset(["constraint", "mapping", "condition", "alias", "example", "code"])
"""Members of which a differential adds items instead of replacing what the base has."""

IDENTITY = frozenset(["id", "path", "sliceName", "base"])
BY_TYPE = {"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"}
BY_URL = {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}


class SnapshotError(Exception):
    """The differential does not fit its base; the message names the element."""


def with_snapshot(profile: Mapping[str, Any], definitions: Definitions) -> dict[str, Any]:
    """The StructureDefinition with `snapshot`, made from `differential` and the base's snapshot.
    Raises: SnapshotError (the base is not known, an element does not exist)."""
    base_url = profile.get("baseDefinition", "")
    if not definitions.has_structure(base_url):
        raise SnapshotError(f"the base {base_url} is not known here")
    base = definitions.structure_resource(base_url)
    builder = _Builder([_row_of(each) for each in base["snapshot"]["element"]], definitions)
    for change in profile.get("differential", {}).get("element", ()):
        builder.apply(change)
    return {**profile, "snapshot": {"element": builder.rows}}


def _row_of(element: Mapping[str, Any]) -> Row:
    """A copy whose `base` is written out, because a narrowed maximum no longer tells what is an array."""
    row: Row = copy_json(dict(element))
    row.setdefault("base", {"path": row["path"], "min": row.get("min", 0), "max": row.get("max", "*")})
    row.setdefault("id", row["path"])
    return row


class _Builder:
    def __init__(self, rows: list[Row], definitions: Definitions) -> None:
        self.rows = rows
        self._definitions = definitions

    def apply(self, change: Mapping[str, Any]) -> None:
        """Merge one element of the differential."""
        identity = self._identity(change)
        row = self._row(identity)
        for key, value in change.items():
            if key in LISTED:
                row[key] = [*row.get(key, ()), *(each for each in value if each not in row.get(key, ()))]
            elif key not in IDENTITY:
                row[key] = copy_json(value)
        if "slicing" not in change and ":" in identity.rpartition(".")[2]:
            self._default_slicing(identity)

    # --- identities -------------------------------------------------------------------------------------------------

    def _identity(self, change: Mapping[str, Any]) -> str:
        """Id of the row that an element of the differential speaks of, shortcuts of choices written out."""
        own: str = change.get("id") or change["path"]
        if "id" not in change and change.get("sliceName"):
            own = f"{own}:{change['sliceName']}"
        steps = own.split(".")
        identity = steps[0]
        for step in steps[1:]:
            identity = self._step(identity, step)
        return identity

    def _step(self, parent: str, step: str) -> str:
        name, _, slice_name = step.partition(":")
        plain = f"{parent}.{name}"
        if slice_name or self._find(plain) is not None:
            return f"{plain}:{slice_name}" if slice_name else plain
        self._open(parent)
        if self._find(plain) is not None:
            return plain
        choice = self._choice(parent, name)
        if choice is None:
            raise SnapshotError(f"{plain} does not exist in the base")
        row, type_row = choice
        if len(row["type"]) == 1 and "slicing" not in row and self._slices(row["id"]) == []:
            return str(row["id"])  # already limited to this type: nothing to slice
        return self._type_slice(row, type_row, name)

    def _choice(self, parent: str, name: str) -> tuple[Row, Row] | None:
        """(row of value[x], its row of the type) that `valueQuantity` stands for."""
        for row in self._children(parent):
            last = row["id"].rpartition(".")[2]
            if last.endswith("[x]"):
                for each in row["type"]:
                    code = each["code"]
                    if name == last[:-3] + code[0].upper() + code[1:]:
                        return row, each
        return None

    def _type_slice(self, row: Row, type_row: Row, name: str) -> str:
        """The choice is sliced by type and closed around the types that are named."""
        identity = f"{row['id']}:{name}"
        if self._find(identity) is None:
            named = {each["type"][0]["code"] for each in self._slices(row["id"])} | {type_row["code"]}
            self._add_slice(identity, row["id"], name)["type"] = [copy_json(type_row)]
            row["type"] = [each for each in row["type"] if each["code"] in named] if "slicing" in row else [type_row]
            row.setdefault("slicing", copy_json(BY_TYPE))
        return identity

    # --- rows -------------------------------------------------------------------------------------------------------

    def _find(self, identity: str) -> int | None:
        return next((index for index, row in enumerate(self.rows) if row["id"] == identity), None)

    def _children(self, parent: str) -> list[Row]:
        depth = parent.count(".") + 1
        return [row for row in self.rows if row["id"].startswith(parent + ".") and row["id"].count(".") == depth]

    def _slices(self, identity: str) -> list[Row]:
        depth = identity.count(".")
        return [row for row in self.rows if row["id"].startswith(identity + ":") and row["id"].count(".") == depth]

    def _row(self, identity: str) -> Row:
        """The row with the id; made where it is a new slice or inside of a type that was not opened yet."""
        index = self._find(identity)
        if index is not None:
            return self.rows[index]
        parent, _, step = identity.rpartition(".")
        name, _, slice_name = step.partition(":")
        if parent and self._find(parent) is None:
            self._row(parent)
        if slice_name:
            outer, _, _ = slice_name.rpartition("/")
            sliced = f"{parent}.{name}:{outer}" if outer else f"{parent}.{name}"
            self._row(sliced)
            return self._add_slice(identity, sliced, slice_name)
        self._open(parent)
        index = self._find(identity)
        if index is None:
            raise SnapshotError(f"{identity} does not exist in the base")
        return self.rows[index]

    def _end(self, identity: str) -> int:
        """Index after the row, its children and its slices."""
        last = max(
            index
            for index, row in enumerate(self.rows)
            if row["id"] == identity or row["id"].startswith((identity + ".", identity + ":", identity + "/"))
        )
        return last + 1

    def _add_slice(self, identity: str, sliced: str, slice_name: str) -> Row:
        """A copy of what is sliced, with its children, behind the slices that are there."""
        source = [row for row in self.rows if row["id"] == sliced or row["id"].startswith(sliced + ".")]
        copies = [copy_json(row) for row in source]
        for row in copies:
            row["id"] = identity + row["id"][len(sliced) :]
        first: Row = copies[0]
        first.pop("slicing", None)
        first["sliceName"] = slice_name
        first["min"] = 0
        end = self._end(sliced)
        self.rows[end:end] = copies
        return first

    def _default_slicing(self, identity: str) -> None:
        """Extensions are sliced by url without saying so."""
        sliced = identity.rpartition(":")[0]
        index = self._find(sliced)
        if index is not None and sliced.endswith(("xtension",)):
            self.rows[index].setdefault("slicing", copy_json(BY_URL))

    # --- opening types ----------------------------------------------------------------------------------------------

    def _open(self, identity: str) -> None:
        """Put the elements of a row's type below it, if there are none yet."""
        if self._children(identity):
            return
        index = self._find(identity)
        if index is None:
            self._row(identity)
            index = self._find(identity)
        assert index is not None
        row = self.rows[index]
        self.rows[index + 1 : index + 1] = self._referenced(row) if "contentReference" in row else self._of_type(row)

    def _referenced(self, row: Row) -> list[Row]:
        target = row["contentReference"].rpartition("#")[2]
        source = [each for each in self.rows if each["id"].startswith(target + ".")]
        return [self._moved(each, target, row) for each in source]

    def _of_type(self, row: Row) -> list[Row]:
        types = row.get("type", ())
        if len({each["code"] for each in types}) != 1:
            raise SnapshotError(f"{row['id']} has several types or none: nothing can be said of what is inside")
        profiles = types[0].get("profile", ())
        name = profiles[0] if len(profiles) == 1 and self._definitions.has_structure(profiles[0]) else types[0]["code"]
        if not self._definitions.has_structure(name):
            raise SnapshotError(f"the type {name} of {row['id']} is not known here")
        source = self._definitions.structure_resource(name)["snapshot"]["element"]
        return [self._moved(_row_of(each), source[0]["path"], row) for each in source[1:]]

    def _moved(self, element: Row, prefix: str, row: Row) -> Row:
        """A copy of an element with the row's place in front of it."""
        copy: Row = copy_json(element)
        copy["id"] = row["id"] + element["id"][len(prefix) :]
        copy["path"] = row["path"] + element["path"][len(prefix) :]
        return copy


def complete(profile: Mapping[str, Any], definitions: Definitions) -> Mapping[str, Any]:
    """The profile itself if it has a snapshot, else with one that may be stored and shown. Raises: SnapshotError."""
    if profile.get("snapshot", {}).get("element"):
        return profile
    made = with_snapshot(profile, definitions)
    return {**made, "snapshot": {"element": [_published(row) for row in made["snapshot"]["element"]]}}


def _published(row: Row) -> Row:
    """An element in the form of FHIR: the definitions of `r4.zip` are boiled down, extensions of theirs to members."""
    published = {
        "definition": row.get("short") or row["path"],
        "min": row["base"]["min"],
        "max": row["base"]["max"],
    } | row
    if published.get("isModifier") and "isModifierReason" not in published:
        published["isModifierReason"] = "As in the base definition"
    if "constraint" in published:
        published["constraint"] = [
            _as_extension(each, "bestPractice", "elementdefinition-bestpractice", "valueBoolean")
            for each in published["constraint"]
        ]
    if "binding" in published:
        published["binding"] = _as_extension(
            published["binding"], "maxValueSet", "elementdefinition-maxValueSet", "valueCanonical"
        )
        if "valueSet" not in published["binding"]:
            published["binding"] = {"description": "As in the base definition", **published["binding"]}
    return published


def _as_extension(row: Row, member: str, name: str, kind: str) -> Row:
    if member not in row:
        return row
    rest = {key: value for key, value in row.items() if key != member}
    return {**rest, "extension": [*row.get("extension", ()), {"url": CORE + name, kind: row[member]}]}
