"""A compiled expression: one closure that gives the collection, and cheaper ones for what is mostly asked.

`run(this, frame)` never changes what it got, and nobody changes the list that it returns: constants are shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes, Step
from fhir_profiles.fhirpath.values import boolean

Types = frozenset[str] | None
"""What types the items can have; None: not known."""


EMPTY: Nodes = []


class Frame:
    """What changes during one evaluation: `$index` and `$total` of the innermost loop, and the environment."""

    __slots__ = ("_environment", "given", "index", "this", "total")

    def __init__(self, this: Node, given: Environment | None) -> None:
        self.this = this
        """%context, unless the environment names another."""
        self.given = given
        """As the caller gave it."""
        self._environment: Environment | None = None
        self.index = 0
        self.total: Nodes = EMPTY

    @property
    def environment(self) -> Environment:
        """The environment with its resources told; made when it is first asked for, which is seldom."""
        if self._environment is None:
            given = self.given
            value = self.this[0]
            own = value if isinstance(value, dict) and "resourceType" in value else None
            if given is None:
                self._environment = Environment(own, own)
            else:
                resource = given.resource if given.resource is not None else own
                root = given.root if given.root is not None else resource
                self._environment = replace(given, resource=resource, root=root)
        return self._environment


Run = Callable[[Node, Frame], Nodes]
Truth = Callable[[Node, Frame], "bool | None"]
Exists = Callable[[Node, Frame], bool]
Scalar = Callable[[Node, Frame], Any]

NOTHING: Node = (None, "", None)
"""`$this` where there is none."""

TRUE: Nodes = [(True, "System.Boolean", None)]
FALSE: Nodes = [(False, "System.Boolean", None)]
BOOLEAN = frozenset(("System.Boolean",))


@dataclass(slots=True)
class Code:
    run: Run
    types: Types = None
    single: bool = False
    """At most one item, whatever the data."""
    truth: Truth | None = None
    """The Boolean of the collection, where there is a cheaper way than `run`."""
    exists: Exists | None = None
    """Whether there is an item, where there is a cheaper way than `run`."""
    scalar: Scalar | None = None
    """Value of the only item as in JSON, None for none: for single primitives."""
    constant: Nodes | None = None
    """Same for every item and evaluation."""
    steps: tuple[Step, ...] | None = None
    """A plain path from `$this`; () is `$this` itself."""
    distinct: bool = False
    """No two items are equal."""
    ordered: bool = True
    """False after children() and descendants(), whose order has no meaning."""
    referred_type: Scalar | None = None
    """Of resolve(): the type of the referred resource where it can be told without loading it."""

    @property
    def kinds(self) -> frozenset[str | None] | None:
        """System types of the items; None in it for complex ones."""
        return None if self.types is None else frozenset(map(SYSTEM.get, self.types))

    def is_kind(self, kind: str) -> bool:
        """Whether all items are known to be of that System type."""
        return bool(self.types) and all(SYSTEM.get(each) == kind for each in self.types or ())


def truth_of(code: Code) -> Truth:
    if code.truth is not None:
        return code.truth
    run = code.run
    if code.scalar is not None and code.is_kind("Boolean"):
        return code.scalar
    return lambda node, frame: boolean(run(node, frame))


def exists_of(code: Code) -> Exists:
    if code.exists is not None:
        return code.exists
    run = code.run
    return lambda node, frame: bool(run(node, frame))


def boolean_code(truth: Truth) -> Code:
    """Code of an expression whose value is a Boolean or empty."""

    def run(node: Node, frame: Frame) -> Nodes:
        result = truth(node, frame)
        return EMPTY if result is None else TRUE if result else FALSE

    def exists(node: Node, frame: Frame) -> bool:
        return truth(node, frame) is not None

    return Code(run, BOOLEAN, single=True, truth=truth, exists=exists)


def constant_code(nodes: Nodes) -> Code:
    types = frozenset(fhir_type for _, fhir_type, _ in nodes)
    return Code(lambda node, frame: nodes, types, single=len(nodes) < 2, constant=nodes)


def empty_code() -> Code:
    return constant_code(EMPTY)


def this_code(types: Types) -> Code:
    """`$this`"""

    def run(node: Node, frame: Frame) -> Nodes:
        return [node] if node is not NOTHING else EMPTY

    return Code(run, types, single=True, steps=())
