"""The columns of every one of the 43 files: `layouts.csv`, with the flags of `mappers/layout.py`.

Order and lengths follow a 2016 HDC database and public exporters; the keys of files that those do not state are from
memory. Appended are the columns of version 2.4 after D_UPDATE.
"""

from __future__ import annotations

from pathlib import Path

from mappers.layout import read_layouts

LAYOUTS = read_layouts(Path(__file__).with_name("layouts.csv"))
"""By upper-case file name, in the order in which files are best imported: persons, visits, then their details."""
