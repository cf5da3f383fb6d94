"""What a command did stands on standard output, with --json as one JSON document; how far it is, on standard error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from server.cli.progress import import_bar
from tests.cli.serving import onecard

STEPS: Sequence[tuple[str, Sequence[str], str]] = (
    # what the bar counts, arguments, what the bar is called
    ("rows", ("sample", "in.zip", "--people", "3", "--years", "1", "--format", "f43"), "sample"),
    ("resources", ("sample", "in.ndjson", "--people", "3", "--years", "1", "--format", "fhir"), "sample"),
    ("rows", ("sample", "claims.zip", "--people", "3", "--years", "1", "--format", "f16"), "sample"),
    ("rows", ("sample", "jhcis.sql", "--people", "3", "--years", "1", "--format", "jhcis"), "sample"),
    ("resources", ("import", "f43", "in.zip"), "import"),
    ("resources", ("import", "f16", "claims.zip"), "import"),
    ("resources", ("import", "jhcis", "jhcis.sql"), "import"),
    ("resources", ("import", "fhir", "in.ndjson"), "import"),
    ("rows", ("export", "f43", "out.zip", "--facility", "99999"), "export"),
    ("rows", ("export", "f16", "out16.zip", "--facility", "99999"), "export"),
    ("persons", ("export", "moph-phr", "phr.ndjson", "--facility", "99999"), "export"),
    ("resources", ("export", "fhir", "out.ndjson"), "export"),
    ("documents", ("validate", "out.ndjson"), "validate"),
)


def test_every_command_of_files_has_a_bar_on_standard_error_and_one_json_document_on_standard_output(
    tmp_path: Path,
) -> None:
    for unit, arguments, name in STEPS:
        done = onecard(*arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, (arguments, done.stderr[-2000:])
        assert isinstance(json.loads(done.stdout), dict), arguments
        shown = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.startswith(f"{name}:")]
        assert shown, arguments
        assert unit in shown[-1], arguments


def test_the_bar_of_an_import_tells_bytes_and_resources(capsys: pytest.CaptureFixture[str]) -> None:
    with import_bar(4000) as advance:
        advance(5, 1000)
        advance(7, 3000)
    out, err = capsys.readouterr()
    assert (out, "4.00k/4.00k" in err, "12 resources" in err) == ("", True, True)
