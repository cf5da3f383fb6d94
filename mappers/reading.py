"""The bytes of one file as rows: encoding, header, delimiter, line ends, as they come out of the HIS of the country.

UTF-8 with or without a byte order mark, or Windows-874 (TIS-620); a header row in any case of letters or none; `|`
between columns; CRLF, LF or CR at the end of lines; the columns of the old structure or of version 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mappers.layout import Layout
from mappers.links import Row
from mappers.problems import Problem, shape

LONGEST_LINE = 64 * 1024
"""Bytes; the widest file has 9 KB."""
SAMPLE = 256 * 1024
"""Bytes that decide the encoding."""
THAI_ENCODING = "cp874"

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ALIASES = {"CLINICALVALUE": "CLINICALVAULE", "NARCOTIC_DRUG": "NACROTIC_DRUG", "ILLTAMBOL": "ILLTAMBON"}
"""Names of later exporters for columns that the structure spells otherwise."""

_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_THAI_LETTERS = range(0x0E00, 0x0E80)

Check = Callable[[int, Row], list[Problem]]
"""Line number and columns to what is wrong with them."""


@dataclass(slots=True)
class ReadRow:
    """One line of a file."""

    file: str
    number: int
    """Line in the file, from 1; a header counts."""
    values: Row
    """Non-empty columns by their names in the layout, without surrounding blanks."""
    problems: list[Problem] = field(default_factory=list)
    raw: str = ""
    """The whole line, only where it is refused: for the quarantine, never for a report."""

    @property
    def refused(self) -> bool:
        return any(problem.refused for problem in self.problems)


def read_rows(layout: Layout, check: Check, chunks: Iterable[bytes]) -> Iterator[ReadRow]:
    """Every line of the file with what is wrong with it; empty lines and the header are passed over.

    `chunks` are the bytes of the file in pieces of any size; memory does not grow with the file.
    """
    file = layout.name
    first = next(field.name for field in layout.fields if not field.virtual)
    decoder = Decoder()
    columns: tuple[str | None, ...] | None = None
    for number, line in enumerate(lines(chunks, decoder), start=1):
        text, rule = decoder.decode(line)
        if rule:
            yield _refused(file, number, text, rule)
            continue
        if not text.strip("| \t"):
            continue
        cells = [cell.strip() for cell in text.split("|")]
        if columns is None and cells[0].upper() == first:
            columns, unknown = _header(layout, cells)
            if unknown:
                found = [Problem(file, number, "", "header", name[:40]) for name in unknown]
                yield ReadRow(file, number, {}, found)
            continue
        names = columns or layout.by_count.get(len(cells)) or layout.by_count.get(_without_tail(cells))
        if names is None or (len(cells) != len(names) and _without_tail(cells) != len(names)):
            yield _refused(file, number, text, "columns")
            continue
        yield _row(layout, check, number, names, cells, text)


def _header(layout: Layout, cells: list[str]) -> tuple[tuple[str | None, ...], list[str]]:
    """Columns by the names of a header row (None for one that the file does not have), and the unknown names."""
    names = [ALIASES.get(cell.upper(), cell.upper()) for cell in cells]
    unknown = [name for name in names if name and name not in layout.by_name]
    return tuple(name if name in layout.by_name else None for name in names), unknown


def _without_tail(cells: list[str]) -> int:
    """How many columns a line has if a delimiter behind the last one does not count."""
    return len(cells) - 1 if cells and not cells[-1] else len(cells)


def _row(
    layout: Layout, check: Check, number: int, names: tuple[str | None, ...], cells: list[str], text: str
) -> ReadRow:
    values: Row = {}
    for name, cell in zip(names, cells, strict=False):
        if cell and name is not None:
            # Digits are Arabic everywhere but in free text.
            values[name] = (
                cell if cell.isascii() or layout.by_name[name].type == "text" else cell.translate(_THAI_DIGITS)
            )
    row = ReadRow(layout.name, number, values, check(number, values))
    if row.problems and row.refused:
        row.raw = text
    return row


def _refused(file: str, number: int, text: str, rule: str) -> ReadRow:
    return ReadRow(file, number, {}, [Problem(file, number, "", rule, shape(text))], text)


class Decoder:
    """Decides the encoding of a file from its beginning and decodes its lines.

    Every line beyond ASCII votes: for UTF-8 if it is valid UTF-8 with Thai letters in it, for Windows-874 if it is not
    valid UTF-8. So one broken line does not turn a whole file. Without votes for UTF-8 it is Windows-874 (some
    Thai words
    in Windows-874 happen to be valid UTF-8, but then of Latin letters). A beginning in ASCII decides nothing.
    """

    def __init__(self) -> None:
        self.encoding: str | None = None

    def look(self, sample: bytes) -> None:
        """Decide, if the sample tells. Its last line may be cut anywhere and only counts if it is the only one."""
        if sample.isascii():
            return
        lines = sample.replace(b"\r", b"\n").split(b"\n")
        votes = [_vote(line) for line in (lines[:-1] if len(lines) > 1 else lines) if not line.isascii()]
        if votes:
            self.encoding = "utf-8" if 1 in votes and sum(votes) >= 0 else THAI_ENCODING

    def decode(self, line: bytes) -> tuple[str, str | None]:
        """The text, and the rule that the line breaks."""
        if len(line) > LONGEST_LINE:
            return line[:200].decode("ascii", "replace"), "line"
        if line.isascii():
            return line.decode("ascii"), None
        if self.encoding is None:
            self.look(line)
        try:
            return line.decode(self.encoding or THAI_ENCODING), None
        except UnicodeDecodeError:
            return line.decode(self.encoding or THAI_ENCODING, "replace"), "encoding"


def _vote(line: bytes) -> int:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return -1
    return 1 if any(ord(each) in _THAI_LETTERS for each in text) else 0


def lines(chunks: Iterable[bytes], decoder: Decoder) -> Iterator[bytes]:
    """Lines without their ends. A line beyond `LONGEST_LINE` comes out once, cut; its rest is passed over."""
    pieces = _sampled(chunks, decoder)
    rest = b""
    skipping = False
    for piece in pieces:
        # A CR at the very end may be half of a CRLF: it waits for the next piece.
        block = rest + piece
        held = b"\r" if block.endswith(b"\r") else b""
        *whole, rest = block[: len(block) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += held
        for line in whole:
            if not skipping:
                yield line
            skipping = False
        if len(rest) > LONGEST_LINE:
            if not skipping:
                yield rest[: LONGEST_LINE + 1]
            skipping, rest = True, b""
    if rest.strip(b"\r") and not skipping:
        yield rest.rstrip(b"\r")


def _sampled(chunks: Iterable[bytes], decoder: Decoder) -> Iterator[bytes]:
    """The chunks, after the decoder has seen the beginning; the byte order mark is gone."""
    beginning = b""
    source = iter(chunks)
    for chunk in source:
        beginning += chunk
        if len(beginning) >= SAMPLE:
            break
    decoder.look(beginning[:SAMPLE])
    yield beginning.removeprefix(BYTE_ORDER_MARK)
    yield from source
