"""One search parameter of a request to a Criterion: types, modifiers, chains, `_has` and the common parameters.
https://hl7.org/fhir/R4/search.html#modifiers https://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fhir_profiles.terminology_protocol import Terminology
from server.errors import BadRequest
from server.search import codes, hierarchy
from server.search.contained import chained
from server.search.filter_operators import FILTER_MODIFIERS, translated
from server.search.fulltext import alternatives as full_text
from server.search.parse import Asked, Hop, Leaf, Limits, Name, Reverse, shown
from server.search.query import (
    And,
    Chain,
    Criterion,
    FullText,
    Has,
    Ids,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Not,
    Operand,
    Or,
    Parameter,
    RangeOperand,
    ReferenceOperand,
    any_of,
)
from server.search.refusal import UnknownParameter, being_indexed, refused, unknown
from server.search.registry import Registered, SearchParameters
from server.search.types import MODIFIERS, Setting, Unreadable, parse
from server.search.types.reference import LOGICAL_ID
from server.search.types.written import split, unescape

AMBIGUOUS = 10
"""A chain without a type goes through at most so many types of target."""

COMMON = (
    "_list", "_has", "_filter", "_type", "_sort", "_count", "_include", "_revinclude", "_summary", "_elements",
    "_total", "_contained", "_containedType",
)  # fmt: skip
"""Names that are no entry of the registry, for advice."""

LAST_UPDATED = Parameter("_lastUpdated", "date")
NOTHING, EVERYTHING = Or(()), And(())


@dataclass(frozen=True, slots=True)
class Criteria:
    """Makes the criteria of one request."""

    parameters: SearchParameters
    terminology: Terminology
    setting: Setting
    now: int
    """Microseconds UTC since 1970."""
    limits: Limits

    def of(self, types: tuple[str, ...], asked: Asked) -> Criterion:
        """Raises: BadRequest; UnknownParameter is the one that a lenient client may drop."""
        if not asked.value:
            raise UnknownParameter(
                f"{shown(asked.written)}: the parameter has no value", expression=shown(asked.written)
            )
        try:
            return self._named(types, asked.name, asked)
        except Unreadable as error:
            raise refused(asked.written, str(error)) from None

    def _named(self, types: tuple[str, ...], name: Name, asked: Asked) -> Criterion:
        if isinstance(name, Reverse):
            return self._reverse(types, name, asked)
        common = _COMMON.get(name.code) if isinstance(name, Leaf) else None
        if common is not None:
            assert isinstance(name, Leaf)
            return common(self, types, name, asked)
        return self._by_type(types, name, asked)

    # --- several types ------------------------------------------------------------------------------------------

    def _by_type(self, types: tuple[str, ...], name: Leaf | Hop, asked: Asked) -> Criterion:
        """Where a code means different parameters on several types, each type has its own branch."""
        if len(types) == 1 and (registered := self.parameters.find(types[0], name.code)) is not None:
            return self._one(types[0], registered, name, asked)
        groups: dict[Criterion, list[str]] = {}
        seen: dict[object, Criterion] = {}
        if len(types) > 1 and name.code in self.parameters.of("Resource"):
            types = ("Resource",)
        for type_ in types:
            registered = self.parameters.find(type_, name.code)
            if registered is None:
                raise unknown(asked.written, name.code, types, self.parameters.nearest(types, name.code, COMMON))
            key = (registered.reading, registered.definition.url)
            if key not in seen:
                seen[key] = self._one(type_, registered, name, asked)
            groups.setdefault(seen[key], []).append(type_)
        if len(groups) == 1:
            return next(iter(groups))
        return Or(tuple(And((IsType(tuple(group)), criterion)) for criterion, group in groups.items()))

    def _one(self, type_: str, registered: Registered, name: Leaf | Hop, asked: Asked) -> Criterion:
        if not self.parameters.is_searchable(registered):
            raise being_indexed(asked.written)
        if isinstance(name, Hop):
            return self._chain(type_, registered, name, asked)
        return self._match(type_, registered, name, asked)

    # --- a parameter itself -------------------------------------------------------------------------------------

    def _match(self, type_: str, registered: Registered, name: Leaf, asked: Asked) -> Criterion:
        if asked.operator:
            name, asked = translated(registered.parameter.type, name, asked)
        parameter, modifier = registered.parameter, name.modifier
        self._check_modifier(registered, name, asked)
        if modifier == "missing":
            return Missing(parameter, self._boolean(asked))
        if modifier in ("in", "not-in") or (parameter.type == "token" and modifier in ("above", "below")):
            found = self._operands(
                registered,
                asked,
                lambda text: codes.expand(
                    text, modifier, registered, self.terminology, self.limits.expansion, self.setting.bases
                ),
            )
            match = Match(parameter, "", found) if found else NOTHING
            return Not(match) if modifier == "not-in" else match
        if parameter.type == "reference" and modifier in ("above", "below") and "Reference" in registered.types:
            return self._hierarchy(registered, name, asked)
        if parameter.type == "reference" and modifier in self.parameters.resource_types:
            parameter_of_type = Parameter(parameter.code, "reference", targets=(modifier,))
            found = self._operands(registered, asked, lambda text: (self._typed(text, parameter_of_type),))
            return Match(parameter, "", found)
        if parameter.type == "uri" and name.code == "url" and not modifier and "|" in asked.value:
            return self._canonical(type_, registered, asked)
        if modifier == "overlaps":
            return Match(parameter, "", self._overlapping(registered, asked))
        meant = "" if modifier == "not" else "contains" if _is_text(parameter, modifier) else modifier
        found = self._operands(
            registered,
            asked,
            lambda text: [self._operand(registered, meant, text, form) for form in registered.compared_as],
        )
        match = Match(parameter, meant, found)
        return Not(match) if modifier == "not" else match

    def _check_modifier(self, registered: Registered, name: Leaf, asked: Asked) -> None:
        modifier, type_ = name.modifier, registered.parameter.type
        if asked.operator and modifier in FILTER_MODIFIERS:
            return
        if not modifier or (modifier == "missing" and type_ not in ("composite", "special")):
            return
        if type_ == "reference" and modifier in self.parameters.resource_types:
            targets = registered.parameter.targets
            if targets and modifier not in targets:
                raise refused(asked.written, f"this parameter refers to {_listed(targets)}")
            return
        elements = _MODIFIED.get((type_, modifier))
        known = not registered.types or elements is None or not registered.types.isdisjoint(elements)
        if modifier not in MODIFIERS[type_] or not known:
            usable = sorted(
                each
                for each in MODIFIERS[type_]
                if (types := _MODIFIED.get((type_, each))) is None or not registered.types.isdisjoint(types)
            )
            allowed = [*usable, "missing"] if type_ not in ("composite", "special") else usable
            takes = f"takes {' '.join(f':{each}' for each in allowed)}" if allowed else "takes no modifier"
            raise refused(asked.written, f"the modifier :{shown(modifier)} does not fit, {name.code} {takes}")

    def _operands(
        self, registered: Registered, asked: Asked, read: Callable[[str], Iterable[Operand]]
    ) -> tuple[Operand, ...]:
        """Operands of the OR list, each once. Raises: BadRequest."""
        found: dict[Operand, None] = {}
        for text in asked.alternatives:
            try:
                found.update(dict.fromkeys(read(text)))
            except Unreadable as error:
                value = None if registered.personal else text
                raise refused(asked.written, str(error), value=value, code="value") from None
        return tuple(found)

    def _operand(self, registered: Registered, modifier: str, text: str, form: str | None = None) -> Operand:
        form = registered.compared_as[0] if form is None else form
        return parse(registered.parameter, modifier, text, self.setting, self.now, form)

    def _overlapping(self, registered: Registered, asked: Asked) -> tuple[Operand, ...]:
        """`po` of `_filter`: `ap` without widening."""
        found = self._operands(registered, asked, lambda text: (self._operand(registered, "", text),))
        return tuple(each._replace(prefix="ap") for each in found if isinstance(each, RangeOperand))

    def _typed(self, text: str, parameter: Parameter) -> Operand:
        operand = parse(parameter, "", text, self.setting, self.now)
        if not isinstance(operand, ReferenceOperand) or operand.type != parameter.targets[0]:
            raise Unreadable(f"expected the id of a {parameter.targets[0]}")
        return operand

    def _boolean(self, asked: Asked) -> bool:
        if asked.value not in ("true", "false"):
            raise refused(asked.written, "expected true or false", code="value")
        return asked.value == "true"

    def _canonical(self, type_: str, registered: Registered, asked: Asked) -> Criterion:
        """`url=http://acme.org/x|2.0`: the version is that of the resource."""
        version = self.parameters.find(type_, "version")
        criteria: list[Criterion] = []
        for text in asked.alternatives:
            url, *rest = split(text, "|")
            criterion: Criterion = Match(registered.parameter, "", (self._operand(registered, "", url),))
            if len(rest) == 1 and version is not None:
                criterion = And((criterion, Match(version.parameter, "", (self._operand(version, "", rest[0]),))))
            criteria.append(criterion)
        return any_of(criteria)

    def _hierarchy(self, registered: Registered, name: Leaf, asked: Asked) -> Criterion:
        parameter = registered.parameter
        levels = hierarchy.levels(parameter, self.parameters)
        if not levels:
            raise refused(asked.written, f":{name.modifier} needs a hierarchy, such as Location.partof")
        found = self._operands(registered, asked, lambda text: (self._operand(registered, "", text),))
        references = tuple(each for each in found if isinstance(each, ReferenceOperand))
        make = hierarchy.below if name.modifier == "below" else hierarchy.above
        return make(parameter, references, levels)

    # --- chains -------------------------------------------------------------------------------------------------

    def _chain(self, type_: str, registered: Registered, name: Hop, asked: Asked) -> Criterion:
        parameter = registered.parameter
        if parameter.type != "reference":
            raise refused(asked.written, f"{name.code} is no reference: only references can be chained")
        targets = self._targets(registered, name, asked)
        found: list[Criterion] = []
        problems: list[BadRequest] = []
        for target in targets:
            try:
                criterion = self._named((target,), name.rest, asked)
            except BadRequest as problem:
                problems.append(problem)
                continue
            literal = registered.is_literal
            found.append(
                chained(parameter, target, criterion) if literal else Chain(parameter, target, criterion, True)
            )
        if not found:
            raise self._unchained(name, targets, problems, asked)
        if len(found) > AMBIGUOUS:
            raise refused(
                asked.written,
                f"{name.code} may refer to {len(found)} types with this parameter; say which, "
                f"as in {name.code}:{targets[0]}.{_rest(asked.written, name.code)}",
                code="multiple-matches",
            )
        return any_of(found)

    def references(self, types: tuple[str, ...], code: str, asked: Asked) -> list[tuple[Parameter, str]]:
        """Reference parameter and type of each target, for a filter in brackets. Raises: BadRequest."""
        found: dict[tuple[Parameter, str], None] = {}
        for type_ in types:
            registered = self.parameters.find(type_, code)
            if registered is None:
                raise unknown(asked.written, code, types, self.parameters.nearest(types, code))
            if registered.parameter.type == "reference":
                for target in self._targets(registered, Hop(code, None, Leaf(code)), asked):
                    found[registered.parameter, target] = None
        return list(found)

    def _targets(self, registered: Registered, name: Hop, asked: Asked) -> tuple[str, ...]:
        targets = registered.parameter.targets
        if name.type is None:
            return targets or tuple(sorted(self.parameters.resource_types))
        if name.type not in self.parameters.resource_types or (targets and name.type not in targets):
            known = f"{name.code} refers to {_listed(targets)}" if targets else "this is no resource type"
            raise refused(asked.written, known)
        return (name.type,)

    def _unchained(self, name: Hop, targets: tuple[str, ...], problems: list[BadRequest], asked: Asked) -> BadRequest:
        serious = [each for each in problems if not isinstance(each, UnknownParameter)]
        if serious:
            return serious[0]
        if len(problems) == 1:
            return problems[0]
        code = name.rest.code
        return unknown(asked.written, code, targets[:1] if len(targets) == 1 else (), self._near(targets, code))

    def _near(self, targets: tuple[str, ...], code: str) -> str | None:
        return self.parameters.nearest(targets, code, COMMON)

    def _reverse(self, types: tuple[str, ...], name: Reverse, asked: Asked) -> Criterion:
        if name.source not in self.parameters.resource_types:
            raise refused(asked.written, f"{shown(name.source)} is no resource type")
        registered = self.parameters.find(name.source, name.code)
        if registered is None:
            nearest = self.parameters.nearest((name.source,), name.code)
            raise unknown(asked.written, name.code, (name.source,), nearest)
        parameter = registered.parameter
        if parameter.type != "reference":
            raise refused(asked.written, f"{name.source}.{name.code} is no reference")
        if parameter.targets and set(types).isdisjoint(parameter.targets):
            raise refused(asked.written, f"{name.source}.{name.code} refers to {_listed(parameter.targets)}")
        criterion = self._named((name.source,), name.rest, asked)
        return Has(name.source, parameter, criterion, not registered.is_literal)

    # --- parameters of all resources ----------------------------------------------------------------------------

    def _id(self, types: tuple[str, ...], name: Leaf, asked: Asked) -> Criterion:
        if asked.operator:
            name, asked = translated("id", name, asked)
        if name.modifier == "missing":
            return NOTHING if self._boolean(asked) else EVERYTHING
        if name.modifier not in ("", "not"):
            raise refused(asked.written, "_id takes :not and :missing only")
        ids = dict.fromkeys(unescape(text) for text in asked.alternatives)
        for id_ in ids:
            if LOGICAL_ID.fullmatch(id_) is None:
                raise refused(asked.written, "expected a logical id: up to 64 letters, digits, - and .", code="value")
        found = Ids(tuple((None, id_) for id_ in ids))
        return Not(found) if name.modifier else found

    def _last_updated(self, types: tuple[str, ...], name: Leaf, asked: Asked) -> Criterion:
        if asked.operator:
            name, asked = translated("date", name, asked)
        if name.modifier == "missing":
            return NOTHING if self._boolean(asked) else EVERYTHING
        if name.modifier:
            raise refused(asked.written, "_lastUpdated takes :missing only")
        operands: list[RangeOperand] = []
        for text in asked.alternatives:
            try:
                operand = parse(LAST_UPDATED, "", text, self.setting, self.now)
            except Unreadable as error:
                raise refused(asked.written, str(error), value=text, code="value") from None
            assert isinstance(operand, RangeOperand)
            operands.append(operand)
        return LastUpdated(tuple(operands))

    def _list(self, types: tuple[str, ...], name: Leaf, asked: Asked) -> Criterion:
        """Resources that a List refers to are those that have it as `List.item`."""
        if asked.operator:
            name, asked = translated("id", name, asked)
        if name.modifier:
            raise refused(asked.written, "_list takes no modifier")
        if any(text.startswith("$") for text in asked.alternatives):
            raise refused(
                asked.written, "functional lists such as $current-problems are not kept here", code="not-supported"
            )
        ids = self._id(types, Leaf("_id"), asked)
        item = self.parameters.find("List", "item")
        assert item is not None, "an official parameter"
        return Has("List", item.parameter, ids)

    def _text(self, types: tuple[str, ...], name: Leaf, asked: Asked) -> Criterion:
        if not self.limits.text:
            raise refused(
                asked.written, "text search is switched off on this server (setting text-search)", code="not-supported"
            )
        if asked.operator:
            name, asked = translated("text", name, asked)
        if name.modifier:
            raise refused(asked.written, f"{name.code} takes no modifier")
        found: list[tuple[str, ...]] = []
        for text in asked.alternatives:
            try:
                found += full_text(unescape(text))
            except Unreadable as error:
                raise refused(asked.written, str(error), code="value") from None
        return FullText(name.code, tuple(dict.fromkeys(found)))

    def _elsewhere(self, types: tuple[str, ...], name: Leaf, asked: Asked) -> Criterion:
        raise refused(asked.written, f"{name.code} cannot be used here", code="not-supported")


_Common = Callable[[Criteria, tuple[str, ...], Leaf, Asked], Criterion]
_COMMON: Mapping[str, _Common] = {
    "_id": Criteria._id,
    "_lastUpdated": Criteria._last_updated,
    "_list": Criteria._list,
    "_query": Criteria._elsewhere,
    "_filter": Criteria._elsewhere,
    "_type": Criteria._elsewhere,
    "_text": Criteria._text,
    "_content": Criteria._text,
}

_MODIFIED: dict[tuple[str, str], frozenset[str]] = {
    ("token", "of-type"): frozenset({"Identifier"}),
    ("token", "text"): frozenset({"CodeableConcept", "Coding", "Identifier"}),
    ("token", "in"): codes.CODED,
    ("token", "not-in"): codes.CODED,
    ("token", "above"): codes.CODED,
    ("token", "below"): codes.CODED,
    ("reference", "identifier"): frozenset({"Reference"}),
}
"""Modifiers that need elements of certain types."""


def _is_text(parameter: Parameter, modifier: str) -> bool:
    """`:text` on a string finds the words anywhere, as `:contains` does."""
    return parameter.type == "string" and modifier == "text"


def _listed(types: tuple[str, ...]) -> str:
    names = ", ".join(types[:6])
    return f"{names} and others" if len(types) > 6 else names


def _rest(written: str, code: str) -> str:
    return shown(written.partition(f"{code}.")[2])
