"""The answers to what validation, search and the operations ask: `TerminologyService`.

It fulfils `fhir_profiles.terminology_protocol.Terminology`. Views of value sets are kept until a resource is added or
removed. All methods are plain functions without I/O but for the reads of committed and concept files (microseconds to a
few milliseconds), so that they may run on the event loop; the operations, which may take longer, are called in threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from fhir_profiles.terminology_protocol import Code, CodeCheck, ExpandedCode
from terminology.compose import Entry, ValueSetView, read_value_set
from terminology.concept import Concept, Json
from terminology.errors import TerminologyError, Undecided
from terminology.folding import fold
from terminology.kept import Kept
from terminology.library import Library, split_canonical, system_url
from terminology.system import CodeSystem

KEPT_VIEWS = 1000
SMALL = 5000
"""`codes_of` gives up above this many codes."""


class TerminologyService:
    """One per process; read-only but for `add` and `remove`."""

    def __init__(self, files: Iterable[CodeSystem] = ()) -> None:
        self.library = Library(files)
        self._views: Kept[ValueSetView | TerminologyError | None] = Kept(KEPT_VIEWS)

    @property
    def generation(self) -> int:
        """terminology_protocol.Terminology"""
        return self.library.generation

    def add(self, resource: Json) -> None:
        """Takes up a stored CodeSystem, ValueSet or ConceptMap (with `url`); it goes before the official one."""
        self.library.add(resource)
        self._views.clear()

    def remove(self, resource_type: str, url: str, version: str | None = None) -> bool:
        """Forgets a resource that `add` took up."""
        self._views.clear()
        return self.library.remove(resource_type, url, version)

    def name(self, reference: str, value_set: Json | None) -> None:
        """`ValueSet/123`, a literal reference, means this stored value set; None: nothing any more."""
        self.library.name(reference, value_set)
        self._views.clear()

    def view(self, value_set: str) -> ValueSetView | None:
        """The value set named by a canonical, or None. Raises: TerminologyError if its definition is broken."""
        found = self._views.get((value_set, self.library.generation), lambda: self._read_view(value_set))
        if isinstance(found, TerminologyError):
            raise found
        return found

    def _read_view(self, value_set: str) -> ValueSetView | TerminologyError | None:
        resource = self.library.value_set(value_set)
        if resource is None:
            return None
        try:
            return read_value_set(resource, self.library)
        except TerminologyError as error:
            return error

    def validate_code(
        self,
        value_set: str,
        system: str | None,
        code: str,
        *,
        display: str | None = None,
        version: str | None = None,
    ) -> CodeCheck:
        """Whether the code is in the value set; abstract codes are not.   terminology_protocol.Terminology"""
        try:
            view = self.view(value_set)
            if view is None:
                return CodeCheck("unknown", f"the value set {value_set} is not known here")
            entry = view.find(None if system is None else system_url(system), code)
        except TerminologyError as error:
            return CodeCheck("unknown", str(error))
        if entry is None:
            return CodeCheck("no", self._why_not(value_set, system, code))
        if entry.concept.abstract:
            return CodeCheck("no", f"{code} only groups other codes and is not used in data", entry.concept.display)
        if version is not None and entry.version is not None and not same_version(entry.version, version):
            message = f"the value set uses version {entry.version} of {entry.system}, not {version}"
            return CodeCheck("no", message, entry.concept.display)
        if display is not None and not is_display(entry.concept, display):
            return CodeCheck("yes", f"the display of {code} is not one of those known", entry.concept.display, True)
        return CodeCheck("yes", "", entry.concept.display)

    def _why_not(self, value_set: str, system: str | None, code: str) -> str:
        known = self.library.code_system(system) if system else None
        if known is not None and known.complete and known.find(code) is None:
            return f"the code system {system} has no code {code[:40]}"
        return f"the code {code[:40]}{f' of {system}' if system else ''} is not in the value set {value_set}"

    def codes_of(self, value_set: str) -> frozenset[Code] | None:
        """All codes that may be used in data, of a value set with at most 5,000.   terminology_protocol.Terminology"""
        try:
            view = self.view(value_set)
            if view is None:
                return None
            entries = list(islice(view.entries(), SMALL + 1))
            whole = all(part.system is None or part.system.complete for part in view.includes if part.listed is None)
        except TerminologyError:
            return None
        if len(entries) > SMALL or not whole:
            return None
        return frozenset(Code(e.system, e.concept.code) for e in entries if not e.concept.abstract)

    def expand(self, value_set: str, *, limit: int = 1000) -> tuple[ExpandedCode, ...] | None:
        """The first `limit` codes in order.   terminology_protocol.Terminology"""
        try:
            view = self.view(value_set)
            return None if view is None else tuple(map(expanded, islice(view.entries(), limit)))
        except TerminologyError:
            return None

    def subsumes(self, system: str, ancestor: str, code: str) -> bool | None:
        """Whether `code` is `ancestor` or below it.   terminology_protocol.Terminology"""
        known = self.library.code_system(system)
        if known is None:
            return None
        above, below = known.find(ancestor), known.find(code)
        if above is None or below is None:
            return None
        return above.code == below.code or known.is_below(below.code, above.code)

    def below(self, system: str, code: str, *, limit: int = 5000) -> tuple[str, ...] | None:
        """The code and all that it subsumes.   terminology_protocol.Terminology"""
        known = self.library.code_system(system)
        top = None if known is None else known.find(code)
        if known is None or top is None:
            return None
        return tuple(islice((top.code, *(concept.code for concept in known.descendants(top.code))), limit))

    def above(self, system: str, code: str) -> tuple[str, ...] | None:
        """The code and all that subsume it.   terminology_protocol.Terminology"""
        known = self.library.code_system(system)
        bottom = None if known is None else known.find(code)
        if known is None or bottom is None:
            return None
        return (bottom.code, *sorted(known.ancestors(bottom.code)))

    def find(self, system: str, code: str, version: str | None = None) -> Concept | None:
        """The concept, or None if the system or the code is not known."""
        known = self.library.code_system(system, version)
        return None if known is None else known.find(code)


def expanded(entry: Entry) -> ExpandedCode:
    concept = entry.concept
    return ExpandedCode(entry.system, concept.code, concept.display, concept.abstract, concept.inactive)


def same_version(used: str, asked: str) -> bool:
    return used == asked or used.startswith(asked + ".") or asked.startswith(used + ".")


def is_display(concept: Concept, display: str) -> bool:
    """Whether it is one of the concept's names; case, spacing and accents do not matter. No names: nothing differs."""
    names = [concept.display, *(d.value for d in concept.designations)]
    known = {" ".join(fold(name).split()) for name in names if name}
    return not known or " ".join(fold(display).split()) in known


__all__ = ["TerminologyService", "Undecided", "split_canonical"]
