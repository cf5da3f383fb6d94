"""Documents that a filter finds, and whether they really fulfil the criteria: on the real values, never on hashes.

Criteria are judged for a whole batch: what chains and `_has` ask of other resources is then two questions to the
cluster for all of them, not two for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from server.search.instant import milliseconds
from server.search.query import (
    And,
    Chain,
    Criterion,
    FullText,
    Has,
    Ids,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Not,
    Or,
    ReferenceOperand,
    TokenOperand,
)
from server.search.types.prefix import in_range
from server.search.values import Index, Reference, Token, Value
from server.store.contract import SearchRules, Version
from server.store.mongo.driver import Document
from server.store.mongo.frames import Frames, beginning, beginning_of_values, some_values, stored_texts
from server.store.mongo.reader import version_of

Key = str
"""Type/id"""


class Candidate:
    """One document, read as far as it is asked."""

    __slots__ = ("_frames", "_plain", "_values", "document", "id", "index", "key", "type")

    def __init__(self, document: Document, frames: Frames) -> None:
        self.document = document
        self.key: Key = document["_id"]
        self.type, _, self.id = self.key.partition("/")
        self._frames = frames
        self._plain: bytes | None = None
        self._values = 0
        self.index: Index = {}

    def read(self, codes: Iterable[str]) -> None:
        """Fills `index` with these parameters."""
        self.index = some_values(self.stored, codes)

    def _expanded(self) -> bytes:
        plain = self._plain
        if plain is None:
            plain = self._plain = self._frames.expand(self.document["b"])
            self._values = beginning_of_values(plain)
        return plain

    @property
    def stored(self) -> bytes:
        return self._expanded()[self._values :]

    def shows(self, signs: Sequence[tuple[bytes, ...]]) -> bool:
        """There are some, and one of each is in the stored values. Written out: it is asked of each document."""
        if not signs:
            return False
        plain = self._plain or self._expanded()
        values = self._values
        for those in signs:
            for sign in those:
                if plain.find(sign, values) >= 0:
                    break
            else:
                return False
        return True

    def version(self) -> Version:
        body = self._expanded()[: self._values - 1]
        return version_of(self.type, self.id, self.document, self._frames, body)


def parameters_of(criteria: Iterable[Criterion]) -> set[str]:
    """Codes whose values decide on the criteria, on the resource itself."""
    codes: set[str] = set()
    for criterion in criteria:
        match criterion:
            case Match() | Missing():
                codes.add(criterion.parameter.code)
            case Chain():
                codes.add(criterion.parameter.code)
            case InCompartment():
                codes.update(parameter.code for _, parameters in criterion.parameters for parameter in parameters)
            case Not():
                codes |= parameters_of((criterion.criterion,))
            case And() | Or():
                codes |= parameters_of(criterion.criteria)
            case _:
                pass
    return codes


def keys_of(values: Iterable[Value]) -> set[Key]:
    """Local resources that reference values name."""
    return {
        f"{value.type}/{value.id}"
        for value in values
        if isinstance(value, Reference) and value.type is not None and value.id is not None
    }


def links(criteria: Iterable[Criterion]) -> Iterable[Chain | Has]:
    """Outermost criteria on other resources."""
    for criterion in criteria:
        if isinstance(criterion, Chain | Has):
            yield criterion
        elif isinstance(criterion, Not):
            yield from links((criterion.criterion,))
        elif isinstance(criterion, And | Or):
            yield from links(criterion.criteria)


Linked = Callable[[Chain | Has, Sequence[Candidate]], Awaitable[set[Key]]]
"""Of a Chain: targets of the candidates that fulfil its criterion. Of a Has: candidates that are referred to."""


def signs_of(criterion: Criterion, resource_type: str) -> tuple[bytes, ...]:
    """Any of them in the stored values says that a resource of the type fulfils the criterion; none says nothing. For
    what is asked most: a reference by type and id, a compartment, a code with its system."""
    if isinstance(criterion, InCompartment):
        parameters = dict(criterion.parameters).get(resource_type, ())
        return tuple(beginning(one.code, Reference, criterion.type, criterion.id) for one in parameters)
    if not isinstance(criterion, Match) or criterion.modifier:
        return ()
    code = criterion.parameter.code
    signs = []
    for operand in criterion.operands:
        match operand:
            case ReferenceOperand(str(type), str(id), None, None):
                signs.append(beginning(code, Reference, type, id))
            case TokenOperand(system, str(text), False):
                signs.append(beginning(code, Token, system, text))
    return tuple(signs)


Staged = Mapping[tuple[int, str], set[Key] | None]
"""By the identity of a Chain or Has, and the type of who refers or is referred to: see Run._stage."""
_MOST_SIGNS = 16


class Checks:
    """What decides on candidates; made once for a query that comes again."""

    __slots__ = ("_signs", "_staged", "codes", "criteria", "links")

    def __init__(self, criteria: Sequence[Criterion], staged: Staged | None = None) -> None:
        self.criteria = criteria
        self.codes = parameters_of(criteria)
        self.links = list(links(criteria))
        self._staged = staged or {}
        self._signs: dict[str, list[tuple[bytes, ...]]] = {}

    def signs(self, type: str) -> list[tuple[bytes, ...]]:
        """Of each criterion for resources of the type; empty unless all have some."""
        signs = self._signs.get(type)
        if signs is None:
            found = [self._signs_of(criterion, type) for criterion in self.criteria]
            signs = self._signs[type] = found if all(found) else []
        return signs

    def _signs_of(self, criterion: Criterion, type: str) -> tuple[bytes, ...]:
        if not isinstance(criterion, Chain):
            return signs_of(criterion, type)
        reached = self._staged.get((id(criterion), type)) or ()
        if len(reached) > _MOST_SIGNS:
            return ()
        code = criterion.parameter.code
        return tuple(beginning(code, Reference, *key.split("/")) for key in reached)


class Judge:
    """The truth of criteria on candidates."""

    def __init__(self, rules: SearchRules, linked: Linked) -> None:
        self._rules = rules
        self._linked = linked

    async def fulfilled(self, candidates: Sequence[Candidate], checks: Checks) -> Sequence[Candidate]:
        """Those that fulfil all, in their order; their indexes hold the values that links were asked for."""
        doubtful = [one for one in candidates if not one.shows(checks.signs(one.type))]
        if not doubtful:
            return candidates
        for candidate in doubtful if checks.codes else ():
            candidate.read(checks.codes)
        reached: dict[int, set[Key]] = {}
        for criterion in checks.links:
            if id(criterion) not in reached:
                reached[id(criterion)] = await self._linked(criterion, candidates)
        truth = _Truth(self._rules, reached)
        refused = {id(one) for one in doubtful if not all(truth.of(one, criterion) for criterion in checks.criteria)}
        return [one for one in candidates if id(one) not in refused]


class _Truth:
    def __init__(self, rules: SearchRules, reached: dict[int, set[Key]]) -> None:
        self._rules = rules
        self._reached = reached

    def of(self, one: Candidate, criterion: Criterion) -> bool:
        match criterion:
            case Match() | Missing():
                return self._rules.holds(criterion, one.type, one.index)
            case Not(inner):
                return not self.of(one, inner)
            case And(criteria):
                return all(self.of(one, each) for each in criteria)
            case Or(criteria):
                return any(self.of(one, each) for each in criteria)
            case IsType(types):
                return one.type in types
            case Ids(ids):
                return any(type in (None, one.type) and id == one.id for type, id in ids)
            case LastUpdated(operands):
                updated = milliseconds(one.document["l"])
                return any(in_range(*updated, operand) for operand in operands)
            case FullText():
                return _says(one, criterion)
            case Chain():
                values: Any = one.index.get(criterion.parameter.code, ())
                prefix = f"{criterion.target}/"
                reached = self._reached[id(criterion)]
                return any(key in reached for key in keys_of(values) if key.startswith(prefix))
            case Has():
                return one.key in self._reached[id(criterion)]
            case InCompartment():
                return _in_compartment(one, criterion)


def _says(one: Candidate, criterion: FullText) -> bool:
    texts = stored_texts(one.stored)
    if texts is None:
        return False
    text = texts[0 if criterion.field == "_text" else 1]
    return any(all(phrase in text for phrase in phrases) for phrases in criterion.alternatives)


def _in_compartment(one: Candidate, criterion: InCompartment) -> bool:
    owner = f"{criterion.type}/{criterion.id}"
    if criterion.itself and one.key == owner:
        return True
    parameters = dict(criterion.parameters).get(one.type, ())
    return any(owner in keys_of(one.index.get(parameter.code, ())) for parameter in parameters)
