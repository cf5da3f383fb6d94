"""The terminology operations as pure functions: a Parameters resource in, a resource out.

    expand(service, parameters, now=...)           -> ValueSet       ValueSet/$expand
    validate_code_in_value_set(service, parameters) -> Parameters     ValueSet/$validate-code
    validate_code_in_system(service, parameters)    -> Parameters     CodeSystem/$validate-code
    lookup(service, parameters)                     -> Parameters     CodeSystem/$lookup
    subsumes(service, parameters)                   -> Parameters     CodeSystem/$subsumes
    translate(service, parameters)                  -> Parameters     ConceptMap/$translate
    closure(service, parameters, table, now=...)    -> ConceptMap, ClosureTable    $closure

An operation on an instance is the same with the resource put in: `with_resource(parameters, "valueSet", resource)`.
All raise TerminologyError.   https://hl7.org/fhir/R4/terminology-service.html
"""

from terminology.operations.closure import ClosureTable, closure
from terminology.operations.expand import expand
from terminology.operations.lookup import lookup
from terminology.operations.parameters import from_query, with_resource
from terminology.operations.subsumes import subsumes
from terminology.operations.translate import translate
from terminology.operations.validate_code import validate_code_in_system, validate_code_in_value_set

__all__ = [
    "ClosureTable",
    "closure",
    "expand",
    "from_query",
    "lookup",
    "subsumes",
    "translate",
    "validate_code_in_system",
    "validate_code_in_value_set",
    "with_resource",
]
