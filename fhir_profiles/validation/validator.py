"""Whether a resource is what FHIR R4 and its profiles allow.   https://hl7.org/fhir/R4/validation.html"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.issue import Issue
from fhir_profiles.terminology_protocol import NoTerminology, Terminology
from fhir_profiles.validation.checks import NodeCheck
from fhir_profiles.validation.conformance import Profiles, Walk
from fhir_profiles.validation.extensions import check_extensions
from fhir_profiles.validation.invariants import FhirPathInvariants
from fhir_profiles.validation.issues import Explainer, Location, excused_by_extension, place_of, quoted
from fhir_profiles.validation.items import Item
from fhir_profiles.validation.problems import PROBLEMS, Problem, Run, raised
from fhir_profiles.validation.schema import Mode, SchemaBuilder
from fhir_profiles.validation.sight import Sight

MAX_ISSUES = 50


class Validator:
    """Validates resources as `read_json` gives them. Schemas are built when a type is first met (some ms each)."""

    def __init__(self, definitions: Definitions, terminology: Terminology | None = None) -> None:
        self._definitions = definitions
        self._terminology = terminology or NoTerminology()
        self._invariants = FhirPathInvariants(definitions)
        self._explainer = Explainer(definitions, self._terminology)
        self._profiles = Profiles(definitions, self._terminology, self._invariants)
        self._schemas: dict[tuple[Mode, str], SchemaValidator] = {}
        self._node_checks: dict[tuple[str, str], NodeCheck] = {}
        self._builders = {mode: self._builder(mode) for mode in Mode}
        self._sight = Sight(
            definitions, self._terminology, self._invariants, self._profiles, self._builders[Mode.STRICT]
        )

    def validate(
        self,
        resource: Mapping[str, Any],
        *,
        profiles: Sequence[str] = (),
        advice: bool = False,
        limit: int = MAX_ISSUES,
    ) -> list[Issue]:
        """What is wrong with the resource, at most `limit` issues; empty if nothing.
        `profiles` are canonical urls it must conform to besides its type and the profiles of its `meta` that are known
        here; `advice` adds warnings: best practices, bindings that do not require."""
        type_name = resource.get("resourceType")
        if not isinstance(type_name, str) or type_name not in self._definitions.resource_types:
            found = quoted(type_name) if type_name is not None else "nothing"
            text = f"{found} was found as resourceType, expected a resource type of FHIR R4"
            return [Issue("error", "structure", text, None)]
        run = Run(resource=resource, root=resource)  # type: ignore[arg-type]
        if not advice and self._is_right_at_sight(type_name, resource, profiles, run):
            return []
        issues = self._errors(type_name, resource, run, limit)
        if not issues:
            issues += self._conformance(type_name, resource, profiles, run, advice)
        if advice:
            issues += self._advice(type_name, resource, run)
        return list(dict.fromkeys(issues))[:limit]

    def _is_right_at_sight(
        self, type_name: str, resource: Mapping[str, Any], profiles: Sequence[str], run: Run
    ) -> bool:
        """Whether there is nothing to say about it: certainly."""
        if not all(self._definitions.has_structure(url) for url in profiles):
            return False
        meta = resource.get("meta")
        claimed = meta.get("profile", []) if meta.__class__ is dict else []
        if claimed.__class__ is not list or not all(each.__class__ is str for each in claimed):
            return False
        return self._sight.is_right(type_name, resource, run, (*profiles, *claimed))

    # --- profiles --------------------------------------------------------------------------------------------------

    def _conformance(
        self, type_name: str, resource: Mapping[str, Any], profiles: Sequence[str], run: Run, advice: bool
    ) -> list[Issue]:
        """Issues under the profiles asked for, those that `meta` of the resource or of an inner one claims and that are
        known here, and the definitions of its extensions."""
        issues = [
            Issue("error", "not-found", f"the profile {quoted(url)} is not known here", None)
            for url in profiles
            if not self._definitions.has_structure(url)
        ]
        walks = []
        for item, environment in self._inner_resources(type_name, resource, run):
            urls = [*(profiles if item.value is resource else ()), *claimed_profiles(item.value)]
            if urls:
                walk = Walk(self._profiles, environment, advice=advice)
                for url in dict.fromkeys(urls):
                    walk.check(url, item)
                walks.append(walk)
        if run.known_extensions:
            walk = Walk(self._profiles, run, advice=advice)
            whole = Item(resource, type_name, ())
            walk.findings += check_extensions(walk, whole, self._definitions, run)
            walks.append(walk)
        findings = [finding for walk in walks for finding in walk.findings]
        return issues + [self._explainer.issue(problem, resource, place) for place, problem in findings]

    def _inner_resources(
        self, type_name: str, resource: Mapping[str, Any], run: Run
    ) -> Iterable[tuple[Item, Environment]]:
        """The resource, what it contains, and the entries of a Bundle, each with its surroundings."""
        yield Item(resource, type_name, ()), run
        for index, each in enumerate(resource.get("contained", ())):
            yield Item(each, each["resourceType"], ("contained", index)), Environment(resource=each, root=run.root)
        for index, entry in enumerate(resource.get("entry", ()) if type_name == "Bundle" else ()):
            inner = entry.get("resource")
            if inner is not None:
                environment = Environment(resource=inner, root=inner, bundle=run.root)
                yield Item(inner, inner["resourceType"], ("entry", index, "resource")), environment

    # --- structure and invariants ----------------------------------------------------------------------------------

    def _errors(self, type_name: str, resource: Mapping[str, Any], environment: Run, limit: int) -> list[Issue]:
        try:
            self._schema(Mode.STRICT, type_name).validate_python(resource, context=environment)
        except ValidationError as error:
            issues = self._explained(error, resource, limit)
            return issues or self._lenient(type_name, resource, environment)
        return []

    def _explained(self, error: ValidationError, resource: Mapping[str, Any], limit: int) -> list[Issue]:
        """Issues of the error, and those that show in the objects around the wrong ones, whose members' names
        pydantic-core has not come to ask about."""
        explained = list(itertools.islice(self._explainer.explain(error, resource, excused_by_extension), limit))
        issues = [issue for _, issue in explained]
        for location, check, value in self._around(resource, [place for place, _ in explained], error, "error"):
            issues += [self._explainer.issue(problem, resource, location) for problem in check.structural(value)]
        return issues

    def _lenient(self, type_name: str, resource: Mapping[str, Any], environment: Run) -> list[Issue]:
        try:
            self._schema(Mode.LENIENT, type_name).validate_python(resource, context=environment)
        except ValidationError as error:
            return [issue for _, issue in self._explainer.explain(error, resource, excused_by_extension)]
        return []

    def _advice(self, type_name: str, resource: Mapping[str, Any], environment: Run) -> list[Issue]:
        """Warnings, those about objects around others with warnings included."""
        try:
            self._schema(Mode.ADVICE, type_name).validate_python(resource, context=environment)
        except ValidationError as error:
            explained = list(self._explainer.explain(error, resource, excused_by_extension))
            issues = [issue for _, issue in explained if issue.severity != "error"]
            for location, check, value in self._around(resource, [place for place, _ in explained], error, "warning"):
                problems = check.problems(value, environment)
                issues += [self._explainer.issue(problem, resource, location) for problem in problems]
            return issues
        return []

    def _object(self, resource: Mapping[str, Any], location: Location) -> tuple[str, dict[str, Any]] | None:
        """(node type, object) at the location, if it is an object that FHIR knows."""
        value: Any = resource
        for step in location:
            value = value[step]
        node = place_of(resource, location, self._definitions).node
        if node == "Resource" and isinstance(value, dict):
            node = str(value.get("resourceType"))
        known = isinstance(value, dict) and (node in self._definitions.type_kinds or "." in node)
        return (node, value) if known else None

    def _around(
        self, resource: Mapping[str, Any], locations: Iterable[Location], error: ValidationError, severity: str
    ) -> Iterable[tuple[Location, NodeCheck, dict[str, Any]]]:
        """The objects around the locations that pydantic-core has not come to check, with their checks."""
        around = {location[:length] for location in locations for length in range(len(location))}
        checked = {detail["loc"] for detail in error.errors(include_url=False) if detail["type"] == PROBLEMS}
        for location in sorted(around - checked, key=len):
            found = self._object(resource, location)
            if found is not None:
                yield location, self._node_check(found[0], severity), found[1]

    def _node_check(self, node: str, severity: str) -> NodeCheck:
        found = self._node_checks.get((node, severity))
        if found is None:
            found = self._node_checks[node, severity] = NodeCheck(self._definitions, node, self._invariants, severity)
        return found

    # --- schemas -----------------------------------------------------------------------------------------------------

    def _schema(self, mode: Mode, type_name: str) -> SchemaValidator:
        found = self._schemas.get((mode, type_name))
        if found is None:
            found = self._schemas[mode, type_name] = self._builders[mode].build(type_name)
        return found

    def _builder(self, mode: Mode) -> SchemaBuilder:
        is_known = self._definitions.is_known_extension

        def extension(value: Any, info: Any) -> Any:
            schema = self._schema(mode, "Extension")
            found = schema.validate_python(value, context=info.context)
            if is_known(found["url"]):
                info.context.known_extensions.append(found["url"])
            return found

        def contained(value: Any, info: Any) -> Any:
            schema = self._schema(mode, self._resource_type(value))
            outer: Run = info.context
            run = Run(resource=value, root=outer.root, bundle=outer.bundle, known_extensions=outer.known_extensions)
            return schema.validate_python(value, context=run)

        def entry(value: Any, info: Any) -> Any:
            schema = self._schema(mode, self._resource_type(value))
            outer: Run = info.context
            bundle = outer.resource if (outer.resource or {}).get("resourceType") == "Bundle" else outer.bundle
            run = Run(resource=value, root=value, bundle=bundle, known_extensions=outer.known_extensions)
            return schema.validate_python(value, context=run)

        dispatch = {"Extension": extension, "contained": contained, "Resource": entry}
        return SchemaBuilder(self._definitions, self._terminology, self._invariants, dispatch, mode)

    def _resource_type(self, value: Any) -> str:
        """Type of an inner resource. Raises: a PydanticCustomError if it has none."""
        if not isinstance(value, dict):
            raise raised([Problem("error", "structure", f"{quoted(value)} was found, expected a resource")])
        name = value.get("resourceType")
        if not isinstance(name, str) or name not in self._definitions.resource_types:
            found = quoted(name) if name is not None else "nothing"
            text = f"{found} was found as resourceType, expected a resource type of FHIR R4"
            raise raised([Problem("error", "structure", text)])
        return name


def claimed_profiles(resource: Mapping[str, Any]) -> list[str]:
    """Canonical urls of `meta.profile`."""
    return [each for each in resource.get("meta", {}).get("profile", ()) if each is not None]
