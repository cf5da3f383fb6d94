"""Large code systems in read-only SQLite files: one file per system and version, nothing of it in memory.

`write_system` makes a file from a stream of concepts in bounded memory and puts it in place in one step; `StoredSystem`
answers from it. The same files serve beside both stores. A file that was replaced is seen at the next start.

Layout: `concept` in the order of the definition, with the folded text that filters look at; `above` the direct parents;
`closure` every (ancestor, descendant); `property` those by value; `words` a trigram index, which also works for Thai,
which has no spaces between words, and `gram` in how many concepts each trigram is; `rare` the concepts of each letter
and pair of letters that is in few of them, so that a filter of one or two letters need not look at every row either.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import add
from pathlib import Path
from urllib.parse import quote

import orjson

from terminology.concept import Concept, Designation, Property
from terminology.folding import fold

FORMAT = "1"
SUFFIX = ".concepts"
BATCH = 5000
RAREST = 4
"""Of a word, at most the four rarest trigrams are asked of the index; then the text itself decides."""
CHEAP = 50_000
"""A further trigram of a word is asked only if no more concepts have it: a longer list costs more than it saves."""
SHORTEST_INDEXED = 3
"""Letters of a trigram; shorter words are looked for row by row."""
RARE = 500
"""A letter or pair in at most that many concepts has its list; others are met soon by looking row by row."""
COUNTED = 1_000
"""More matches of a filter than this are not counted: the count would cost more than the page."""
LONGEST_INDEXED_VALUE = 200
"""Longer property values are kept but not found by `=` and `in`."""

SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concept (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, display TEXT, body BLOB, text TEXT NOT NULL);
CREATE TABLE link (child INTEGER NOT NULL, parent TEXT NOT NULL);
CREATE TABLE property (
    name TEXT NOT NULL, value TEXT NOT NULL, concept INTEGER NOT NULL,
    PRIMARY KEY (name, value, concept)) WITHOUT ROWID;
CREATE TABLE gram (gram TEXT PRIMARY KEY, concepts INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rare (gram TEXT PRIMARY KEY, concepts TEXT) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    text, content='concept', content_rowid='id', tokenize="trigram case_sensitive 1", detail=none, columnsize=0);
"""
HIERARCHY = """
CREATE TABLE above (child INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY (child, parent)) WITHOUT ROWID;
INSERT OR IGNORE INTO above
    SELECT link.child, concept.id FROM link JOIN concept ON concept.code = link.parent WHERE concept.id != link.child;
CREATE INDEX below ON above (parent, child);
CREATE TABLE closure (
    ancestor INTEGER NOT NULL, descendant INTEGER NOT NULL, PRIMARY KEY (ancestor, descendant)) WITHOUT ROWID;
"""
CLOSURE = """
WITH RECURSIVE up(descendant, ancestor) AS (
    SELECT child, parent FROM above WHERE child > ? AND child <= ?
    UNION SELECT up.descendant, above.parent FROM up JOIN above ON above.child = up.ancestor)
INSERT INTO closure SELECT ancestor, descendant FROM up WHERE ancestor != descendant ORDER BY 1, 2
"""
ANCESTORS = """
WITH RECURSIVE up(id) AS (
    SELECT above.parent FROM above JOIN concept ON concept.id = above.child WHERE concept.code = ?
    UNION SELECT above.parent FROM up JOIN above ON above.child = up.id)
SELECT concept.code FROM up JOIN concept USING (id)
"""
IS_BELOW = """
SELECT 1 FROM closure WHERE ancestor = (SELECT id FROM concept WHERE code = ?)
    AND descendant = (SELECT id FROM concept WHERE code = ?)
"""
ROW = "SELECT concept.code, concept.display, concept.body FROM "


@dataclass(frozen=True, slots=True)
class Header:
    """What is said of the system as a whole."""

    url: str
    version: str | None
    name: str
    case_sensitive: bool = True
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the concepts given to `write_system`."""

    concepts: int
    duplicates: int
    """Concepts left out because their code came before."""
    unknown_parents: int
    """Parents named by concepts that are no codes of the system."""


def file_name(url: str, version: str | None) -> str:
    """A file name made of the url and the version, safe on every system."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{url.partition('://')[2] or url} {version or ''}".lower()).strip("-")
    return plain[:120] + SUFFIX


def write_system(
    path: Path, header: Header, concepts: Iterable[Concept], progress: Callable[[int], None] = lambda _: None
) -> Loaded:
    """Writes the file of one system. `progress` hears how many concepts are done, every few thousand.

    The file appears whole or not at all. Raises: ValueError if there is no concept."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    database = sqlite3.connect(unfinished, isolation_level=None)
    try:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")
        database.executescript(SCHEMA)
        given = _write_concepts(database, concepts, progress)
        loaded = _finish(database, header, given)
    except BaseException:
        database.close()
        unfinished.unlink(missing_ok=True)
        raise
    database.close()
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    return loaded


def _write_concepts(database: sqlite3.Connection, concepts: Iterable[Concept], progress: Callable[[int], None]) -> int:
    given = 0
    grams: dict[str, array[int] | None] = {}
    database.execute("BEGIN")
    for concept in concepts:
        given += 1
        text = "\n".join(fold(t) for t in concept.texts() if t)
        row = (given, concept.code, concept.display, pack(concept), text)
        if database.execute("INSERT OR IGNORE INTO concept VALUES (?, ?, ?, ?, ?)", row).rowcount:
            note_grams(grams, text, given)
            database.executemany("INSERT INTO link VALUES (?, ?)", ((given, p) for p in concept.parents))
            pairs = ((p.code, p.text(), given) for p in concept.properties)
            short = (pair for pair in pairs if len(pair[1]) <= LONGEST_INDEXED_VALUE)
            database.executemany("INSERT OR IGNORE INTO property VALUES (?, ?, ?)", short)
        if given % BATCH == 0:
            database.execute("COMMIT")
            database.execute("BEGIN")
            progress(given)
    lists = ((gram, None if ids is None else orjson.dumps(ids.tolist()).decode()) for gram, ids in grams.items())
    database.executemany("INSERT INTO rare VALUES (?, ?)", lists)
    database.execute("COMMIT")
    progress(given)
    return given


def note_grams(grams: dict[str, array[int] | None], text: str, number: int) -> None:
    """Adds the concept to the list of each letter and pair of letters in its text; None marks a frequent one."""
    for gram in {*text, *map(add, text, text[1:])}:
        ids = grams.get(gram, EMPTY)
        if ids is EMPTY:
            grams[gram] = array("q", (number,))
        elif ids is not None:
            if len(ids) >= RARE:
                grams[gram] = None
            else:
                ids.append(number)


EMPTY: array[int] = array("q")


def _finish(database: sqlite3.Connection, header: Header, given: int) -> Loaded:
    """Indexes, hierarchy and the header."""
    (count,) = database.execute("SELECT count(*) FROM concept").fetchone()
    if not count:
        raise ValueError("the file has no concept")
    database.execute("INSERT INTO words(words) VALUES ('rebuild')")
    database.execute("INSERT INTO words(words) VALUES ('optimize')")
    database.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row')")
    database.execute("INSERT INTO gram SELECT term, doc FROM vocabulary")
    database.execute("DROP TABLE vocabulary")
    database.executescript(HIERARCHY)
    for start in range(0, given, BATCH):
        database.execute(CLOSURE, (start, start + BATCH))
    (unknown,) = database.execute(
        "SELECT count(*) FROM link WHERE NOT EXISTS (SELECT 1 FROM concept WHERE code = link.parent)"
    ).fetchone()
    (edges,) = database.execute("SELECT count(*) FROM above").fetchone()
    database.execute("DROP TABLE link")
    if not header.case_sensitive:
        database.execute("CREATE INDEX any_case ON concept (code COLLATE NOCASE)")
    names = [name for (name,) in database.execute("SELECT DISTINCT name FROM property")]
    about = {
        "format": FORMAT,
        "url": header.url,
        "version": header.version or "",
        "name": header.name,
        "case_sensitive": str(int(header.case_sensitive)),
        "complete": str(int(header.complete)),
        "count": str(count),
        "hierarchical": str(int(edges > 0)),
        "properties": orjson.dumps(names).decode(),
    }
    database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
    database.execute("ANALYZE")
    return Loaded(count, given - count, unknown)


def pack(concept: Concept) -> bytes | None:
    """What a concept has besides code and display; None for nothing."""
    rest = {
        "d": concept.definition,
        "n": [list(d) for d in concept.designations],
        "p": [list(p) for p in concept.properties],
        "u": list(concept.parents),
    }
    rest = {key: value for key, value in rest.items() if value}
    return orjson.dumps(rest) if rest else None


def unpack(code: str, display: str | None, body: bytes | None) -> Concept:
    if body is None:
        return Concept(code, display)
    rest = orjson.loads(body)
    return Concept(
        code,
        display,
        rest.get("d"),
        tuple(Designation(*d) for d in rest.get("n", ())),
        tuple(Property(*p) for p in rest.get("p", ())),
        tuple(rest.get("u", ())),
    )


class StoredSystem:
    """A code system in a file; fulfils `system.CodeSystem`. Each thread reads over a connection of its own."""

    enumerable = True

    def __init__(self, path: Path) -> None:
        """Raises: ValueError if the file is none of ours or of another format."""
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        try:
            about = dict(self._database().execute("SELECT key, value FROM about").fetchall())
        except sqlite3.DatabaseError as error:
            self.close()
            raise ValueError(f"{path.name} is not a file of concepts") from error
        if about.get("format") != FORMAT:
            self.close()
            raise ValueError(f"{path.name} has format {about.get('format')}, not {FORMAT}: load the code system again")
        self.url: str = about["url"]
        self.version: str | None = about["version"] or None
        self.name: str = about["name"]
        self.case_sensitive = about["case_sensitive"] == "1"
        self.complete = about["complete"] == "1"
        self._count = int(about["count"])
        self._hierarchical: bool = about["hierarchical"] == "1"
        self._properties = frozenset(map(str, orjson.loads(about["properties"])))

    def _database(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "database", None)
        if found is None:
            where = f"file:{quote(str(self.path.resolve()))}?mode=ro&immutable=1"
            found = sqlite3.connect(where, uri=True, check_same_thread=False)
            self._local.database = found
            self._opened.append(found)
        return found

    def close(self) -> None:
        for database in self._opened:
            database.close()
        self._opened.clear()

    def _rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Concept]:
        for row in self._database().execute(ROW + sql, tuple(parameters)):
            yield unpack(*row)

    def find(self, code: str) -> Concept | None:
        found = next(self._rows("concept WHERE code = ?", (code,)), None)
        if found is None and not self.case_sensitive:
            found = next(self._rows("concept WHERE code = ? COLLATE NOCASE", (code,)), None)
        return found

    def all(self, skip: int = 0) -> Iterator[Concept]:
        return self._rows("concept ORDER BY id LIMIT -1 OFFSET ?", (skip,))

    def count(self) -> int:
        return self._count

    def matching(self, words: tuple[str, ...], skip: int = 0) -> Iterator[Concept]:
        where, order, parameters = self._condition(words)
        return self._rows(f"{where} ORDER BY {order} LIMIT -1 OFFSET ?", (*parameters, skip))

    def count_matching(self, words: tuple[str, ...]) -> int | None:
        where, _, parameters = self._condition(words)
        frequent = any(len(word) < SHORTEST_INDEXED for word in words) and not where.startswith("json_each")
        if frequent:  # only the rows tell
            return None
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {where} LIMIT {COUNTED + 1})"  # noqa: S608
        (count,) = self._database().execute(sql, parameters).fetchone()
        return None if count > COUNTED else int(count)

    def _condition(self, words: tuple[str, ...]) -> tuple[str, str, list[str]]:
        """FROM with WHERE, ORDER BY and parameters for the concepts that hold every word.

        A rare letter or pair goes first, then the index of trigrams; the text itself decides."""
        tests = "".join(CONTAINS for _ in words)
        for word in words:
            concepts = self._rare(word) if len(word) < SHORTEST_INDEXED else None
            if concepts is not None:
                return (
                    "json_each(?) AS rare JOIN concept ON concept.id = rare.value" + tests,
                    "concept.id",
                    [concepts, *words],
                )
        grams = self._rarest(word for word in words if len(word) >= SHORTEST_INDEXED)
        if not grams:
            return "concept WHERE true" + tests, "concept.id", [*words]
        return BY_INDEX + tests, "words.rowid", [match(grams), *words]

    def _rare(self, gram: str) -> str | None:
        """The concepts with that letter or pair of letters as a JSON array; None if they are many."""
        row = self._database().execute("SELECT concepts FROM rare WHERE gram = ?", (gram,)).fetchone()
        return "[]" if row is None else row[0]

    def _rarest(self, words: Iterable[str]) -> list[str]:
        """The trigrams to ask the index for: of every word the rarest, those that no concept has first."""
        chosen: dict[str, int] = {}
        for word in words:
            taken: list[int] = []
            counts = [(self._holding(word[at : at + 3]), at) for at in range(len(word) - 2)]
            for count, at in sorted(counts):
                # Neighbours share letters, and so their concepts: one tells as much as both.
                if not taken or (count <= CHEAP and len(taken) < RAREST and all(abs(at - t) >= 3 for t in taken)):
                    taken.append(at)
                    chosen[word[at : at + 3]] = count
        return sorted(chosen, key=chosen.__getitem__)

    def _holding(self, gram: str) -> int:
        """How many concepts have the trigram."""
        row = self._database().execute("SELECT concepts FROM gram WHERE gram = ?", (gram,)).fetchone()
        return int(row[0]) if row else 0

    def children(self, code: str) -> Iterator[Concept]:
        return self._rows(
            "above JOIN concept ON concept.id = above.child"
            " WHERE above.parent = (SELECT id FROM concept WHERE code = ?) ORDER BY concept.id",
            (code,),
        )

    def descendants(self, code: str) -> Iterator[Concept]:
        return self._rows(
            "closure JOIN concept ON concept.id = closure.descendant"
            " WHERE closure.ancestor = (SELECT id FROM concept WHERE code = ?) ORDER BY closure.descendant",
            (code,),
        )

    def ancestors(self, code: str) -> frozenset[str]:
        found = self._database().execute(ANCESTORS, (code,))
        return frozenset(above for (above,) in found if above != code)

    def is_below(self, code: str, ancestor: str) -> bool:
        return self._database().execute(IS_BELOW, (ancestor, code)).fetchone() is not None

    def having(self, code: str, values: frozenset[str]) -> Iterator[Concept]:
        if len(values) == 1:
            sql = "property JOIN concept ON concept.id = concept WHERE name = ? AND value = ? ORDER BY property.concept"
            return self._rows(sql, (code, *values))
        wanted = "SELECT concept FROM property WHERE name = ? AND value IN (SELECT value FROM json_each(?))"
        return self._rows(f"concept WHERE id IN ({wanted}) ORDER BY id", (code, orjson.dumps(sorted(values)).decode()))

    def properties(self) -> frozenset[str]:
        return self._properties

    def hierarchical(self) -> bool:
        return self._hierarchical

    def comparable(self, code: str, value: str) -> str:
        return value


BY_INDEX = "words JOIN concept ON concept.id = words.rowid WHERE words MATCH ?"
CONTAINS = " AND instr(concept.text, ?) > 0"


def match(grams: Iterable[str]) -> str:
    """An FTS5 expression: every trigram."""
    return " AND ".join('"' + gram.replace('"', '""') + '"' for gram in grams)


def open_folder(folder: Path) -> list[StoredSystem]:
    """Every system whose file is in the folder, unfinished ones passed over. Raises: ValueError for a broken one."""
    return [StoredSystem(path) for path in sorted(folder.glob("*" + SUFFIX))] if folder.is_dir() else []
