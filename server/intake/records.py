"""Settings of the store in which imports keep what they have to know again."""

from __future__ import annotations

RECORD = "import/f43/"
"""One import of any kind, by its id: {"started", "complete", "undone" ...}."""
WRITTEN = "import/fhir-written/"
"""By id of an import of FHIR files and part: [[type, id, version], ...] in the order of writing."""
PROGRESS = "import/fhir/"
"""What is done of a source of FHIR files, by its content."""
