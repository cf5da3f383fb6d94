"""JHCIS databases (MySQL, `jhcisdb`) as rows of the 43 files: `tables.toml`, read by `mappers.his`."""

from pathlib import Path

TABLES = Path(__file__).with_name("tables.toml")
