"""Units of measure in base units.   https://ucum.org/ucum"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.ucum import canonical, convert, is_valid, to_base
from fhir_profiles.ucum.units import ATOMS, BASES, OFFSETS, PREFIXES, SOLO


@pytest.mark.parametrize(
    ("code", "base", "factor"),
    [
        ("mg", "g", "0.001"),
        ("kg", "g", "1000"),
        ("mg/dL", "g.m-3", "10"),
        ("mmol/L", "m-3.mol", "1"),
        ("10*3/uL", "m-3", "1e12"),
        ("10*9/L", "m-3", "1e12"),
        ("10^3", "1", "1000"),
        ("10*-6", "1", "1e-6"),
        ("m/s2", "m.s-2", "1"),
        ("kg/m2", "g.m-2", "1000"),
        ("J/(kg.K)", "K-1.m2.s-2", "1"),
        ("mm[Hg]", "g.m-1.s-2", "133322.387415"),
        ("cm[H2O]", "g.m-1.s-2", "98066.5"),
        ("kcal", "g.m2.s-2", "4184000"),
        ("%", "1", "0.01"),
        ("{score}", "1", "1"),
        ("%{saturated}", "1", "0.01"),
        ("{beats}/min", "s-1", None),
        ("[lb_av]", "g", "453.59237"),
        ("[in_i]", "m", "0.0254"),
        ("a", "s", "31557600"),
        ("mo", "s", "2629800"),
        ("wk", "s", "604800"),
        ("[iU]/L", "[iU].m-3", "1000"),
        ("[IU]/L", "[iU].m-3", "1000"),
        ("[pH]", "[pH]", "1"),
        ("B[10.nV]", "B[10.nV]", "1"),
        ("cal_[15]", "g.m2.s-2", "4185.8"),
        ("dar", "m2", "10"),
        ("Cel/s", "K.s-1", "1"),
        ("1", "1", "1"),
        ("/m", "m-1", "1"),
        ("(m/s)2", "m2.s-2", "1"),
        ("4.[pi].10*-7.N/A2", "C-2.g.m", None),
        ("meq/L", "m-3.mol", "1"),
        ("U/L", "m-3.mol.s-1", None),
    ],
)
def test_a_unit_in_base_units(code: str, base: str, factor: str | None) -> None:
    unit = canonical(code)
    assert unit is not None
    assert unit.code == base
    assert factor is None or unit.factor == Decimal(factor)


@pytest.mark.parametrize(
    "code",
    ["", "bad", "mg/", "µg", "mEq", "kmin", "k[lb_av]", "Kg", "mg dl", "m(", "(m", "m)", "{open", "m//s", "0", "..",
     "{a}b", "m" * 101, "(" * 50 + "m" + ")" * 50, "10*x", "ม.", "-", "m-", "2-3"],
)  # fmt: skip
def test_what_is_no_unit(code: str) -> None:
    assert canonical(code) is None
    assert not is_valid(code)
    assert to_base(Decimal(1), code) is None


@pytest.mark.parametrize(
    ("value", "code", "target", "expected"),
    [
        ("1", "g", "mg", "1000"),
        ("37", "Cel", "[degF]", "98.6"),
        ("98.6", "[degF]", "Cel", "37"),
        ("-40", "Cel", "[degF]", "-40"),
        ("0", "Cel", "K", "273.15"),
        ("72", "/min", "/h", "4320"),
        ("23", "mm/h", "m/h", "0.023"),
        ("2", "h", "min", "120"),
        ("1", "[ft_i]", "[in_i]", "12"),
        ("1", "[lb_av]", "[oz_av]", "16"),
        ("120", "mm[Hg]", "kPa", "15.9986864898"),
    ],
)
def test_conversion(value: str, code: str, target: str, expected: str) -> None:
    assert convert(Decimal(value), code, target) == Decimal(expected)


@pytest.mark.parametrize(
    ("code", "target"), [("g", "m"), ("mg", "bad"), ("bad", "mg"), ("[iU]", "[arb'U]"), ("mol", "1")]
)
def test_what_does_not_measure_the_same_has_no_conversion(code: str, target: str) -> None:
    assert convert(Decimal(1), code, target) is None


def test_every_unit_of_the_tables_has_base_units_that_are_known() -> None:
    known = BASES | set(SOLO)
    for code in (*ATOMS, *SOLO, *OFFSETS):
        unit = canonical(code)
        assert unit is not None, code
        for part in unit.code.split("."):
            if code not in SOLO and unit.code != "1":
                assert part.rstrip("-0123456789") in known, (code, unit.code)
        assert unit.factor > 0


def test_metric_units_take_every_prefix_and_others_none() -> None:
    for prefix, factor in PREFIXES.items():
        litre, unit = canonical("l"), canonical(f"{prefix}l")
        assert litre is not None
        assert unit is not None
        assert unit.factor == litre.factor * Decimal(factor)
        assert canonical(f"{prefix}[ft_i]") is None


CODES = st.sampled_from(["mg", "g", "mg/dL", "mmol/L", "mm[Hg]", "/min", "[lb_av]", "[degF]", "Cel", "a", "10*3/uL"])


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=4), CODES)
def test_there_and_back_again(value: Decimal, code: str) -> None:
    unit = canonical(code)
    assert unit is not None
    base = to_base(value, code)
    assert base is not None
    assert base[1] == unit.code
    there = convert(value, code, unit.code)
    assert there is not None
    back = convert(there, unit.code, code)
    assert back is not None
    assert abs(back - value) < Decimal("1e-25")


@given(st.text(max_size=20) | st.text(alphabet="mgLdkusa[]{}().*/-0123^%", max_size=20))
def test_any_text_is_a_unit_or_none(code: str) -> None:
    unit = canonical(code)
    assert unit is None or canonical(unit.code) is not None or unit.code in SOLO
