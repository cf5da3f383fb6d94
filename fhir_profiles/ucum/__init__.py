"""Units of measure by UCUM: whether a code is valid, and quantities in base units so that 1 g equals 1000 mg.

    canonical("mg/dL")                  -> Unit("g.m-3", factor 0.01 ...)
    to_base(Decimal(5), "mg/dL")        -> (Decimal("50"), "g.m-3"), rounded to 40 digits
    convert(Decimal(37), "Cel", "[degF]") -> Decimal("98.6")

Base units are those of UCUM (m s g rad K C cd), and besides `mol` and each arbitrary unit such as `[iU]`, which is
commensurable with itself only. Logarithmic units (pH, bel, neper) are base units of their own too.
https://ucum.org/ucum
"""

from fhir_profiles.ucum.canonical import Unit, canonical, convert, is_valid, to_base

__all__ = ["Unit", "canonical", "convert", "is_valid", "to_base"]
