"""The columns of the 16 claim files and LAB: `layouts.csv`, with the flags of `mappers/layout.py`.

Names and order are those of FDH; no public source states types or lengths, so all columns are text but dates, times and
numbers, and keys are from memory. HOSPCODE is no column: a zip belongs to one facility, whose code is told with it.
"""

from __future__ import annotations

from pathlib import Path

from mappers.layout import read_layouts

LAYOUTS = read_layouts(Path(__file__).with_name("layouts.csv"))
"""By upper-case file name: persons and rights before visits before their details."""
