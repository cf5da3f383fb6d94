"""Which search parameters there are: the official ones by resource type, and those added as SearchParameter resources.

All is read from the definitions; adding a parameter needs no Python. `generation` changes with every addition or
removal, so that what was compiled before can tell.
https://hl7.org/fhir/R4/searchparameter.html https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from fhir_profiles.definitions import Definitions, SearchParameter, search_parameter_from
from fhir_profiles.fhirpath import FhirPathError, compile_expression
from server.search.acceptance import (
    refuse_code_of_another,
    refuse_taken_code,
    refuse_unknown_variables,
    unusable,
)
from server.search.paths import Path, concerning, read_path, split_union
from server.search.query import Parameter
from server.search.types.token import MIME, SPECIAL_VALUES

TYPES = frozenset({"number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"})

ROW_PARAMETERS = frozenset({"_id", "_lastUpdated"})
"""Known from the row of a resource, not from its index values."""

MANY = 20
"""Above so many types their parameters are not read only to give advice."""

IMPLIED_SYSTEMS = {
    "http://hl7.org/fhir/ValueSet/mimetypes": MIME,
    "http://hl7.org/fhir/ValueSet/all-languages": "urn:ietf:bcp:47",
    "http://hl7.org/fhir/ValueSet/languages": "urn:ietf:bcp:47",
}
"""Of value sets that cannot be listed."""

PERSONAL_TYPES = frozenset({"HumanName", "Address", "ContactPoint", "Identifier"})
PERSONAL_CODES = frozenset({"name", "family", "given", "phonetic", "birthdate", "death-date", "_text", "_content"})
"""Values of these parameters are never quoted in an answer, nor those that find an element of PERSONAL_TYPES, nor a
part of an address."""

_IDENTIFYING = frozenset({"Identifier", "ContactPoint", "id"})
_CODE = re.compile(r"[A-Za-z\-][A-Za-z0-9\-_]{0,63}")


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a composite: its parameter, and where its values are, seen from the composite's element."""

    registered: Registered
    paths: tuple[Path, ...]
    from_resource: bool
    """The paths start at the resource (`%resource.`)."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One search parameter of one resource type."""

    parameter: Parameter
    """Its code is another's where both find the same: `phonetic` is searched in the values of `name`."""
    definition: SearchParameter
    paths: tuple[Path, ...]
    expressions: tuple[str, ...]
    """FHIRPath for what is no plain path."""
    types: frozenset[str]
    """FHIR types of the elements found."""
    components: tuple[Component, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    """Value set -> the one system that its codes imply."""
    personal: bool = False
    """Its values may name a person."""
    compared_as: tuple[str, ...] = ("",)
    """Forms in which a token is asked for: types whose tokens are compared without case or separators, "" for as
    written."""
    implied_system: str | None = None
    """The system of a bare code, where all elements imply the same."""

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which values it has."""
        return self.parameter.type, frozenset(self.paths), self.expressions, self.parameter.targets

    @property
    def is_found(self) -> bool:
        """It has values in the index, unlike `_text` and `_query`."""
        return bool(self.paths or self.expressions)

    @property
    def is_literal(self) -> bool:
        """A reference that can be followed: not one of canonicals only, which name no resource of this server."""
        return not self.types or not self.types <= {"canonical", "uri"}


class SearchParameters:
    """The parameters of every resource type. Lookups are cached until something is added or removed."""

    def __init__(self, definitions: Definitions, system_of: Callable[[str], str | None]) -> None:
        """system_of: the only code system of a value set, None if it has several or is not known."""
        self.definitions = definitions
        self.generation = 0
        self._system_of = system_of
        self._custom: dict[str, SearchParameter] = {}
        self._pending: set[str] = set()
        self._types: dict[str, dict[str, Registered]] = {}

    @property
    def resource_types(self) -> frozenset[str]:
        return self.definitions.resource_types

    def of(self, resource_type: str) -> Mapping[str, Registered]:
        """Code -> parameter of a resource type (or of `Resource`: what all types have)."""
        found = self._types.get(resource_type)
        if found is None:
            found = self._types[resource_type] = self._read_type(resource_type)
        return found

    def is_read(self, resource_type: str) -> bool:
        """Whether `of` has its answer at hand."""
        return resource_type in self._types

    def find(self, resource_type: str, code: str) -> Registered | None:
        return self.of(resource_type).get(code)

    def nearest(self, resource_types: Iterable[str], code: str, more: Iterable[str] = ()) -> str | None:
        """The known name most like an unknown one; of many types only what all have is considered. None where one of
        the types knows the name itself: it is not the spelling that is wrong."""
        names, types = set(more), tuple(resource_types)
        for each in types if len(types) <= MANY else ("Resource",):
            names.update(self.of(each))
        if code in names:
            return None
        close = get_close_matches(code, sorted(names), n=1, cutoff=0.5)
        return close[0] if close else None

    def custom(self) -> Mapping[str, SearchParameter]:
        """Url -> parameters that were added."""
        return self._custom

    def add(self, resource: Mapping[str, Any], *, searchable: bool = True) -> None:
        """Take up a SearchParameter resource; one of the same url is replaced. Not searchable: its values are
        extracted, but searches for it are refused until `allow`, since what was stored before has none.
        Raises: Unprocessable (an expression that does not compile, an unknown type or base)."""
        definition = self.check(resource)
        before = self._custom.get(definition.url)
        self._custom[definition.url] = definition
        (self._pending.discard if searchable else self._pending.add)(definition.url)
        self._changed(definition.base if before is None else (*definition.base, *before.base))

    def allow(self, url: str) -> None:
        """What was stored before has been indexed: searches for the parameter are answered from now on."""
        self._pending.discard(url)

    def is_searchable(self, registered: Registered) -> bool:
        return registered.definition.url not in self._pending

    def remove(self, url: str) -> None:
        """Forget a parameter that was added; nothing happens if there is none."""
        gone = self._custom.pop(url, None)
        if gone is not None:
            self._pending.discard(url)
            self._changed(gone.base)

    def _changed(self, bases: Iterable[str]) -> None:
        """The types that have the parameter are read again; others know nothing of it."""
        for each in [each for each in self._types if not self._ancestors(each).isdisjoint(bases)]:
            del self._types[each]
        self.generation += 1

    # --- checks of what is added --------------------------------------------------------------------------------

    def check_new(self, resource: Mapping[str, Any]) -> None:
        """As `check`, and that no other parameter that was added has the code. Raises: Unprocessable."""
        definition = self.check(resource)
        others = {url: (other, self.types_of(other)) for url, other in self._custom.items()}
        refuse_code_of_another(definition, self.types_of(definition), others)

    def check(self, resource: Mapping[str, Any]) -> SearchParameter:
        """The definition of a SearchParameter resource that can be taken up. Raises: Unprocessable."""
        missing = [name for name in ("url", "code", "base", "type") if not resource.get(name)]
        if missing:
            raise unusable(f"a search parameter needs {' and '.join(missing)}", f"SearchParameter.{missing[0]}")
        definition = search_parameter_from(resource)
        if _CODE.fullmatch(definition.code) is None:
            raise unusable("the code may have letters, digits and -, not _ at its start", "SearchParameter.code")
        if definition.type not in TYPES - {"special"}:
            raise unusable("parameters of this type cannot be added", "SearchParameter.type")
        for base in definition.base:
            if base not in self.resource_types | {"Resource", "DomainResource"}:
                raise unusable("the base is no resource type", "SearchParameter.base")
        if not definition.expression:
            raise unusable("without an expression nothing can be found", "SearchParameter.expression")
        refuse_taken_code(definition, sorted(self.types_of(definition)), self.definitions)
        for base in definition.base:
            self._check_base(definition, base)
        refuse_unknown_variables(definition.expression)
        return definition

    def types_of(self, definition: SearchParameter) -> frozenset[str]:
        """Resource types that a parameter is about."""
        return frozenset(each for each in self.resource_types if not self._ancestors(each).isdisjoint(definition.base))

    def _check_base(self, definition: SearchParameter, base: str) -> None:
        try:
            registered = self._read(definition, base)
            found = bool(registered.paths)
            for expression in registered.expressions:
                found = not compile_expression(expression, self.definitions, base).never or found
        except (FhirPathError, KeyError) as error:
            raise unusable(f"the expression is not usable on {base}: {error}", "SearchParameter.expression") from error
        if definition.type == "composite" and len(registered.components) != len(definition.components):
            raise unusable("a component is no known search parameter of the base", "SearchParameter.component")
        if not found:
            raise unusable(f"the expression finds no element of {base}", "SearchParameter.expression")

    # --- reading ------------------------------------------------------------------------------------------------

    def _read_type(self, resource_type: str) -> dict[str, Registered]:
        rows = {row.code: row for row in self._rows(resource_type)}
        found = {code: self._read(row, resource_type) for code, row in rows.items()}
        first: dict[object, Parameter] = {}
        for code in sorted(found, key=lambda each: (len(each), each)):
            registered = found[code]
            if registered.paths and not registered.components and registered.definition.url not in self._custom:
                parameter = first.setdefault(registered.reading, registered.parameter)
                found[code] = replace(registered, parameter=parameter)
        return found

    def _rows(self, resource_type: str) -> Iterable[SearchParameter]:
        """Official ones first; what is added has codes of its own."""
        yield from self.definitions.search_parameters(resource_type).values()
        ancestors = self._ancestors(resource_type)
        for row in self._custom.values():
            if not ancestors.isdisjoint(row.base):
                yield row

    def _ancestors(self, resource_type: str) -> frozenset[str]:
        names, current = {resource_type}, self.definitions.base_type(resource_type)
        while current is not None:
            names.add(current)
            current = self.definitions.base_type(current)
        return frozenset(names)

    def _read(self, row: SearchParameter, resource_type: str) -> Registered:
        names = tuple(self._ancestors(resource_type))
        paths: list[Path] = []
        expressions: list[str] = []
        for part in concerning(row.expression, names) if row.expression else ():
            found = read_path(part, resource_type, names, self.definitions)
            if found is None:
                expressions.append(part)
            else:
                paths += found
        components = self._components(row, resource_type, paths) if row.type == "composite" else ()
        types = frozenset(path.type for path in paths) | self._computed(expressions, resource_type)
        parameter = Parameter(
            row.code,
            row.type,
            identifying=row.type == "token" and not types.isdisjoint(_IDENTIFYING),
            targets=tuple(target for target in row.target if target in self.resource_types),
            components=tuple(component.registered.parameter for component in components),
        )
        systems = self._implied_systems(paths)
        return Registered(
            parameter,
            row,
            tuple(paths),
            tuple(expressions),
            types,
            components,
            systems,
            _is_personal(row.code, types),
            _forms(types),
            _implied_system(paths, types, systems),
        )

    def _computed(self, expressions: Iterable[str], resource_type: str) -> frozenset[str]:
        """Types of what FHIRPath finds, as far as they can be told. Raises: FhirPathError."""
        types: set[str] = set()
        for text in expressions:
            for each in compile_expression(text, self.definitions, resource_type).types or ():
                name = each.removeprefix("System.")
                types.add(name if name == each else name[0].lower() + name[1:])
        return frozenset(types)

    def _implied_systems(self, paths: Iterable[Path]) -> dict[str, str]:
        systems: dict[str, str] = {}
        for path in paths:
            if path.type == "code" and path.value_set is not None:
                system = IMPLIED_SYSTEMS.get(path.value_set.partition("|")[0]) or self._system_of(path.value_set)
                if system is not None:
                    systems[path.value_set] = system
        return systems

    def _components(self, row: SearchParameter, resource_type: str, elements: list[Path]) -> tuple[Component, ...]:
        by_url = {each.url: each for each in self._rows(resource_type)}
        found: list[Component] = []
        for component in row.components:
            definition = by_url.get(component.definition)
            if definition is None:
                continue
            registered = self._read(definition, resource_type)
            paths, from_resource = self._component_paths(component.expression, resource_type, elements)
            found.append(Component(registered, tuple(dict.fromkeys(paths)), from_resource))
        return tuple(found)

    def _component_paths(self, expression: str, resource_type: str, elements: list[Path]) -> tuple[list[Path], bool]:
        """Paths from the element of a composite. Raises: KeyError if they are not plain."""
        from_resource = expression.startswith("%resource.")
        starts = {resource_type} if from_resource else {element.type for element in elements}
        paths: list[Path] = []
        for part in split_union(expression.removeprefix("%resource.")):
            for start in starts:
                paths += read_path(part, start, (), self.definitions) or ()
        if not paths:
            raise KeyError(expression)
        return paths, from_resource


_WITHOUT_CASE = frozenset({"ContactPoint", "string", "markdown"})


def _forms(types: frozenset[str]) -> tuple[str, ...]:
    as_written = () if types and types <= _WITHOUT_CASE else ("",)
    return (*as_written, *sorted(types & _WITHOUT_CASE))


def _is_personal(code: str, types: frozenset[str]) -> bool:
    return code in PERSONAL_CODES or code.startswith("address") or not types.isdisjoint(PERSONAL_TYPES)


def _implied_system(paths: Iterable[Path], types: frozenset[str], systems: Mapping[str, str]) -> str | None:
    if types == {"boolean"}:
        return SPECIAL_VALUES
    found = {systems.get(path.value_set or "") if path.type == "code" else None for path in paths}
    return found.pop() if len(found) == 1 else None
