"""Whether a resource is what FHIR R4 and its profiles allow.   https://hl7.org/fhir/R4/validation.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.issue import Issue
from fhir_profiles.terminology_protocol import NoTerminology, Terminology
from fhir_profiles.validation.checks import NodeCheck
from fhir_profiles.validation.invariants import FhirPathInvariants
from fhir_profiles.validation.issues import Explainer, Location, excused_by_extension, place_of, quoted
from fhir_profiles.validation.problems import PROBLEMS, Problem, raised
from fhir_profiles.validation.schema import Mode, SchemaBuilder

MAX_ISSUES = 50


class Validator:
    """Validates resources as `read_json` gives them. Schemas are built when a type is first met (some ms each)."""

    def __init__(self, definitions: Definitions, terminology: Terminology | None = None) -> None:
        self._definitions = definitions
        self._terminology = terminology or NoTerminology()
        self._invariants = FhirPathInvariants(definitions)
        self._explainer = Explainer(definitions, self._terminology)
        self._schemas: dict[tuple[Mode, str], SchemaValidator] = {}
        self._node_checks: dict[str, NodeCheck] = {}
        self._builders = {mode: self._builder(mode) for mode in Mode}

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
        environment = Environment(resource=resource, root=resource)  # type: ignore[arg-type]
        issues = self._errors(type_name, resource, environment, limit)
        if advice:
            issues += self._complaints(Mode.ADVICE, type_name, resource, environment, only_warnings=True)
        return issues[:limit]

    # --- structure and invariants ----------------------------------------------------------------------------------

    def _errors(self, type_name: str, resource: Mapping[str, Any], environment: Environment, limit: int) -> list[Issue]:
        try:
            self._schema(Mode.STRICT, type_name).validate_python(resource, context=environment)
        except ValidationError as error:
            issues = self._explained(error, resource, limit)
            return issues or self._complaints(Mode.LENIENT, type_name, resource, environment)
        return []

    def _explained(self, error: ValidationError, resource: Mapping[str, Any], limit: int) -> list[Issue]:
        """Issues of the error, and those that show in the objects around the wrong ones."""
        issues: list[Issue] = []
        around: dict[Location, None] = {}
        for location, issue in self._explainer.explain(error, resource, excused_by_extension):
            issues.append(issue)
            around.update((location[:length], None) for length in range(len(location)))
            if len(issues) >= limit:
                break
        own = {detail["loc"] for detail in error.errors(include_url=False) if detail["type"] == PROBLEMS}
        for location in around:
            if location not in own:
                issues += self._structural(resource, location)
        return issues

    def _structural(self, resource: Mapping[str, Any], location: Location) -> Iterable[Issue]:
        """Problems in the names of the object at the location: pydantic-core asks only after its members are right."""
        value: Any = resource
        for step in location:
            value = value[step]
        if not isinstance(value, dict):
            return
        node = place_of(resource, location, self._definitions).node
        if node == "Resource":
            node = str(value.get("resourceType"))
        if node in self._definitions.type_kinds or "." in node:
            for problem in self._node_check(node).structural(value):
                yield self._explainer.issue(problem, resource, location)

    def _node_check(self, node: str) -> NodeCheck:
        if node not in self._node_checks:
            self._node_checks[node] = NodeCheck(self._definitions, node, self._invariants, "error")
        return self._node_checks[node]

    def _complaints(
        self,
        mode: Mode,
        type_name: str,
        resource: Mapping[str, Any],
        environment: Environment,
        *,
        only_warnings: bool = False,
    ) -> list[Issue]:
        try:
            self._schema(mode, type_name).validate_python(resource, context=environment)
        except ValidationError as error:
            explained = self._explainer.explain(error, resource, excused_by_extension)
            return [issue for _, issue in explained if not (only_warnings and issue.severity == "error")]
        return []

    # --- schemas -----------------------------------------------------------------------------------------------------

    def _schema(self, mode: Mode, type_name: str) -> SchemaValidator:
        found = self._schemas.get((mode, type_name))
        if found is None:
            found = self._schemas[mode, type_name] = self._builders[mode].build(type_name)
        return found

    def _builder(self, mode: Mode) -> SchemaBuilder:
        def extension(value: Any, info: Any) -> Any:
            return self._schema(mode, "Extension").validate_python(value, context=info.context)

        def contained(value: Any, info: Any) -> Any:
            schema = self._schema(mode, self._resource_type(value))
            return schema.validate_python(value, context=Environment(resource=value, root=info.context.root))

        def entry(value: Any, info: Any) -> Any:
            schema = self._schema(mode, self._resource_type(value))
            outer = info.context.resource
            bundle = outer if outer["resourceType"] == "Bundle" else None
            return schema.validate_python(value, context=Environment(resource=value, root=value, bundle=bundle))

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
