"""`:in`, `:not-in`, `:above` and `:below` of tokens: the codes that terminology says, as plain operands.
https://hl7.org/fhir/R4/search.html#subsumption
"""

from __future__ import annotations

from collections.abc import Iterable

from fhir_profiles.terminology_protocol import Terminology
from server.search.query import TokenOperand
from server.search.registry import Registered
from server.search.types import token
from server.search.types.written import Unreadable, unescape

CODED = frozenset({"CodeableConcept", "Coding", "code", "Quantity"})
"""Element types whose tokens belong to code systems."""


def expand(
    written: str, modifier: str, registered: Registered, terminology: Terminology, limit: int, bases: Iterable[str] = ()
) -> tuple[TokenOperand, ...]:
    """Operands of one value of an OR list. bases: of this server, whose ValueSets may be named by their address.
    Raises: Unreadable."""
    if modifier in ("in", "not-in"):
        return _of_value_set(unescape(written), registered, terminology, limit, bases)
    operand = token.parse(written, "")
    assert isinstance(operand, TokenOperand)
    system = operand.system if not operand.any_system else registered.implied_system
    if operand.code is not None and system == token.MIME and modifier == "below":
        return operand, operand._replace(code=token.mime_base(operand.code))
    if operand.code is None or system is None:
        raise Unreadable(f":{modifier} takes system|code")
    codes = (
        terminology.above(system, operand.code)
        if modifier == "above"
        else terminology.below(system, operand.code, limit=limit + 1)
    )
    if codes is None:
        raise Unreadable("the code system or the code is not known here")
    if len(codes) > limit:
        raise Unreadable(f"more than {limit} codes lie below this one")
    return tuple(TokenOperand(system, code, False) for code in codes)


def _of_value_set(
    url: str, registered: Registered, terminology: Terminology, limit: int, bases: Iterable[str]
) -> tuple[TokenOperand, ...]:
    """The value set is named by its canonical URL, or literally: relative (`ValueSet/123`) or by its address here."""
    relative = (url.removeprefix(f"{base}/") for base in bases if url.startswith(f"{base}/ValueSet/"))
    found = (terminology.expand(each, limit=limit + 1) for each in (url, *relative))
    codes = next((each for each in found if each is not None), None)
    if codes is None:
        raise Unreadable(
            "the value set is not known here, or cannot be listed; it is named by its canonical URL or as ValueSet/[id]"
        )
    if len(codes) > limit:
        raise Unreadable(f"the value set has more than {limit} codes")
    # Codes of elements that imply no system are compared alone.
    bare = registered.types == {"code"} and registered.implied_system is None
    return tuple(dict.fromkeys(TokenOperand(None if bare else each.system, each.code, bare) for each in codes))
