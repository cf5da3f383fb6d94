"""The units of UCUM as data: prefixes, base units, and every derived unit by its definition.

`ATOMS`: code -> (metric, factor, definition in other units). In the tables a `+` marks metric units: they take
prefixes. https://ucum.org/ucum
"""

from __future__ import annotations

PREFIXES = {
    "Y": "1e24",
    "Z": "1e21",
    "E": "1e18",
    "P": "1e15",
    "T": "1e12",
    "G": "1e9",
    "M": "1e6",
    "k": "1e3",
    "h": "1e2",
    "da": "1e1",
    "d": "1e-1",
    "c": "1e-2",
    "m": "1e-3",
    "u": "1e-6",
    "n": "1e-9",
    "p": "1e-12",
    "f": "1e-15",
    "a": "1e-18",
    "z": "1e-21",
    "y": "1e-24",
    "Ki": "1024",
    "Mi": "1048576",
    "Gi": "1073741824",
    "Ti": "1099511627776",
}

BASES = frozenset({"m", "s", "g", "rad", "K", "C", "cd", "mol"})
"""All metric. UCUM counts moles as 6.02e23; here an amount of substance stays one, as in the SI."""

OFFSETS = {"Cel": ("1", "273.15"), "[degF]": ("5/9", "459.67"), "[degRe]": ("5/4", "218.52")}
"""Temperatures on scales with their own zero, in kelvin: (value + offset) * factor."""

_METRIC = """
10* = 10 1
10^ = 10 1
% = 0.01 1
[ppth] = 0.001 1
[ppm] = 0.000001 1
[ppb] = 0.000000001 1
[pptr] = 0.000000000001 1
[pi] = 3.1415926535897932384626433832795028841971693993751058209749445923 1
sr+ = 1 rad2
Hz+ = 1 s-1
N+ = 1 kg.m/s2
Pa+ = 1 N/m2
J+ = 1 N.m
W+ = 1 J/s
A+ = 1 C/s
V+ = 1 J/C
F+ = 1 C/V
Ohm+ = 1 V/A
S+ = 1 Ohm-1
Wb+ = 1 V.s
T+ = 1 Wb/m2
H+ = 1 Wb/A
lm+ = 1 cd.sr
lx+ = 1 lm/m2
Bq+ = 1 s-1
Gy+ = 1 J/kg
Sv+ = 1 J/kg
kat+ = 1 mol/s
U+ = 1 umol/min
eq+ = 1 mol
osm+ = 1 mol
l+ = 1 dm3
L+ = 1 l
ar+ = 100 m2
t+ = 1000 kg
bar+ = 100000 Pa
u+ = 1.66053906660e-24 g
eV+ = 1.602176634e-19 J
pc+ = 3.085678e16 m
g%+ = 1 g/dl
gf+ = 1 g.[g]
[g]+ = 9.80665 m/s2
[c]+ = 299792458 m/s
[h]+ = 6.62607015e-34 J.s
[k]+ = 1.380649e-23 J/K
[eps_0]+ = 8.854187817e-12 F/m
[mu_0]+ = 1.2566370614359172953850573533118e-6 N/A2
[e]+ = 1.602176634e-19 C
[m_e]+ = 9.1093837015e-28 g
[m_p]+ = 1.67262192369e-24 g
[G]+ = 6.67430e-11 m3.kg-1.s-2
[ly]+ = 9460730472580800 m
Ky+ = 1 cm-1
Gal+ = 1 cm/s2
dyn+ = 1 g.cm/s2
erg+ = 1 dyn.cm
P+ = 1 dyn.s/cm2
Bi+ = 10 A
St+ = 1 cm2/s
Mx+ = 1e-8 Wb
G+ = 0.0001 T
Oe+ = 79.577471545947667884441881686257 A/m
Gb+ = 0.79577471545947667884441881686257 A
sb+ = 1 cd/cm2
Lmb+ = 0.31830988618379067153776752674503 cd/cm2
ph+ = 0.0001 lx
Ci+ = 37000000000 Bq
R+ = 0.000258 C/kg
RAD+ = 100 erg/g
REM+ = 1 RAD
cal_[15]+ = 4.18580 J
cal_[20]+ = 4.18190 J
cal_m+ = 4.19002 J
cal_IT+ = 4.1868 J
cal_th+ = 4.184 J
cal+ = 1 cal_th
tex+ = 1 g/km
m[H2O]+ = 9806.65 Pa
m[Hg]+ = 133322.387415 Pa
mho+ = 1 S
st+ = 1 m3
bit+ = 1 1
By+ = 8 bit
Bd+ = 1 s-1
"""

_CUSTOMARY = """
deg = 0.017453292519943295769236907684886127134428718885417254560971914 rad
' = 0.000290888208665721596153948461414768785573811981423620909349531 rad
'' = 0.000004848136811095359935899141023579479759563533023727015155825 rad
gon = 0.9 deg
circ = 360 deg
sph = 12.566370614359172953850573533118011536788677597500423283899778 sr
min = 60 s
h = 60 min
d = 24 h
wk = 7 d
mo_s = 29.53059 d
a_t = 365.24219 d
a_j = 365.25 d
a_g = 365.2425 d
a = 1 a_j
mo_j = 30.4375 d
mo_g = 30.436875 d
mo = 1 mo_j
AU = 149597870691 m
atm = 101325 Pa
att = 98066.5 Pa
[in_i] = 2.54 cm
[ft_i] = 12 [in_i]
[yd_i] = 3 [ft_i]
[mi_i] = 5280 [ft_i]
[fth_i] = 6 [ft_i]
[nmi_i] = 1852 m
[kn_i] = 1 [nmi_i]/h
[sin_i] = 1 [in_i]2
[sft_i] = 1 [ft_i]2
[syd_i] = 1 [yd_i]2
[cin_i] = 1 [in_i]3
[cft_i] = 1 [ft_i]3
[cyd_i] = 1 [yd_i]3
[bf_i] = 144 [in_i]3
[cr_i] = 128 [ft_i]3
[mil_i] = 0.001 [in_i]
[cml_i] = 0.78539816339744830961566084581988 [mil_i]2
[hd_i] = 4 [in_i]
[ft_us] = 0.30480060960121920243840487680975 m
[yd_us] = 3 [ft_us]
[in_us] = 0.083333333333333333333333333333333333333333 [ft_us]
[rd_us] = 16.5 [ft_us]
[ch_us] = 4 [rd_us]
[lk_us] = 0.01 [ch_us]
[fth_us] = 6 [ft_us]
[fur_us] = 40 [rd_us]
[mi_us] = 8 [fur_us]
[acr_us] = 160 [rd_us]2
[srd_us] = 1 [rd_us]2
[smi_us] = 1 [mi_us]2
[sct] = 1 [mi_us]2
[twp] = 36 [sct]
[mil_us] = 0.001 [in_us]
[gal_us] = 231 [in_i]3
[bbl_us] = 42 [gal_us]
[qt_us] = 0.25 [gal_us]
[pt_us] = 0.5 [qt_us]
[gil_us] = 0.25 [pt_us]
[foz_us] = 0.25 [gil_us]
[fdr_us] = 0.125 [foz_us]
[min_us] = 0.016666666666666666666666666666666666666667 [fdr_us]
[crd_us] = 128 [ft_i]3
[bu_us] = 2150.42 [in_i]3
[gal_wi] = 268.8025 [in_i]3
[pk_us] = 0.25 [bu_us]
[dqt_us] = 0.125 [pk_us]
[dpt_us] = 0.5 [dqt_us]
[tbs_us] = 0.5 [foz_us]
[tsp_us] = 0.33333333333333333333333333333333333333333 [tbs_us]
[cup_us] = 16 [tbs_us]
[foz_m] = 30 mL
[cup_m] = 240 mL
[tsp_m] = 5 mL
[tbs_m] = 15 mL
[gal_br] = 4.54609 l
[pk_br] = 2 [gal_br]
[bu_br] = 4 [pk_br]
[qt_br] = 0.25 [gal_br]
[pt_br] = 0.5 [qt_br]
[gil_br] = 0.25 [pt_br]
[foz_br] = 0.2 [gil_br]
[fdr_br] = 0.125 [foz_br]
[min_br] = 0.016666666666666666666666666666666666666667 [fdr_br]
[gr] = 64.79891 mg
[lb_av] = 7000 [gr]
[oz_av] = 0.0625 [lb_av]
[dr_av] = 0.0625 [oz_av]
[scwt_av] = 100 [lb_av]
[lcwt_av] = 112 [lb_av]
[ston_av] = 20 [scwt_av]
[lton_av] = 20 [lcwt_av]
[stone_av] = 14 [lb_av]
[pwt_tr] = 24 [gr]
[oz_tr] = 20 [pwt_tr]
[lb_tr] = 12 [oz_tr]
[sc_ap] = 20 [gr]
[dr_ap] = 3 [sc_ap]
[oz_ap] = 8 [dr_ap]
[lb_ap] = 12 [oz_ap]
[oz_m] = 28 g
[car_m] = 0.2 g
[car_Au] = 0.041666666666666666666666666666666666666667 1
[lbf_av] = 1 [lb_av].[g]
[psi] = 1 [lbf_av]/[in_i]2
[lne] = 0.083333333333333333333333333333333333333333 [in_i]
[pnt] = 0.083333333333333333333333333333333333333333 [lne]
[pca] = 12 [pnt]
[pied] = 32.48 cm
[pouce] = 2.707 cm
[ligne] = 0.2256 cm
[Btu_39] = 1.05967 kJ
[Btu_59] = 1.05480 kJ
[Btu_60] = 1.05468 kJ
[Btu_m] = 1.05587 kJ
[Btu_IT] = 1.05505585262 kJ
[Btu_th] = 1.054350 kJ
[Btu] = 1 [Btu_th]
[HP] = 550 [ft_i].[lbf_av]/s
[Cal] = 1 kcal_th
[in_i'H2O] = 1 m[H2O].[in_i]/m
[in_i'Hg] = 1 m[Hg].[in_i]/m
[PRU] = 1 mm[Hg].s/ml
[wood'U] = 1 mm[Hg].min/L
[diop] = 1 /m
[mesh_i] = 1 /[in_i]
[Ch] = 0.33333333333333333333333333333333333333333 mm
[drp] = 0.05 ml
[hnsf'U] = 1 1
[MET] = 3.5 mL/min/kg
[den] = 0.11111111111111111111111111111111111111111 g/km
[degR] = 0.55555555555555555555555555555555555555556 K
[S] = 1e-13 s
b = 100 [fm2]
[fm2] = 1e-30 m2
[HPF] = 1 1
[LPF] = 100 1
[smoot] = 67 [in_i]
"""

_ARBITRARY = """
[iU]+ [IU]+ [arb'U] [USP'U] [GPL'U] [MPL'U] [APL'U] [beth'U] [anti'Xa'U] [todd'U] [dye'U] [smgy'U] [bdsk'U] [ka'U]
[knk'U] [mclg'U] [tb'U] [CCID_50] [TCID_50] [EID_50] [PFU] [FFU] [CFU] [IR] [BAU] [AU] [Amb'a'1'U] [PNU] [Lf] [D'ag'U]
[FEU] [ELU] [EU] [hp_X] [hp_C] [hp_M] [hp_Q] [hp'_X]+ [hp'_C]+ [hp'_M]+ [hp'_Q]+ [kp_X] [kp_C] [kp_M] [kp_Q] [pH] Np+
B+ B[SPL]+ B[V]+ B[mV]+ B[uV]+ B[10.nV]+ B[W]+ B[kW]+ bit_s [p'diop] %[slope] [m/s2/Hz^0.5]
"""


def _read(table: str) -> dict[str, tuple[bool, str, str]]:
    atoms: dict[str, tuple[bool, str, str]] = {}
    for line in table.strip().splitlines():
        code, _, definition = line.partition(" = ")
        factor, _, unit = definition.partition(" ")
        atoms[code.removesuffix("+")] = (code.endswith("+"), factor, unit)
    return atoms


ATOMS = _read(_METRIC) | _read(_CUSTOMARY)
SOLO = {code.removesuffix("+"): code.endswith("+") for code in _ARBITRARY.split()}
"""Units without a relation to others, and logarithmic ones: code -> metric."""
SAME = {"[IU]": "[iU]"}
"""Spellings of one arbitrary unit."""
