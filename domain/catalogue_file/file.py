"""A catalogue file as it is read: bytes to lines to cells to rows, one at a time, each row ending as one answer."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from domain.catalogue_file.cells import NotUtf8, RepeatedInFile, Workbook
from domain.catalogue_file.columns import Column, Header, read_header
from domain.catalogue_file.rows import CatalogueRow, RowRejected, read_row, rejected
from domain.errors import Refusal

_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How an .xlsx and an .xls begin, also when somebody has named them .csv."""
_SEPARATORS: Final = (",", ";", "\t")
_SAYS_SEPARATOR: Final = re.compile(rb'"?sep=(?P<separator>[,;|\t])"?\s*', re.IGNORECASE)
"""The line by which spreadsheets tell each other what separates the cells below it."""


class EmptyFile(Refusal):
    code = "file_empty"
    remedy = "Give a CSV file whose first row names the columns."


class BrokenQuotes(Refusal):
    code = "quotes_broken"
    remedy = "Put a cell that contains quotes into double quotes, and write each quote inside it twice."


class CatalogueFile:
    """A file whose header is understood. Iterate once; every row that is not blank gives exactly one answer."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Raises EmptyFile, Workbook, NotUtf8, BrokenQuotes, MissingColumns and RepeatedColumns."""
        source = _ended_alike(iter(lines))
        first = next(source, b"").removeprefix(_BOM)
        told = _SAYS_SEPARATOR.fullmatch(first)
        self._before = 1 if told else 0
        """Lines above the headings, which the reader does not see."""
        if told:
            first = next(source, b"")
        if first.startswith(_WORKBOOKS):
            raise Workbook("the file is a spreadsheet's own workbook, no CSV, whatever it is called")
        if first.startswith(_UTF_16) or b"\x00" in first:
            raise NotUtf8("the file is UTF-16, or no text at all")
        try:
            heading = first.decode()
        except UnicodeDecodeError as error:
            raise NotUtf8("the row of headings is not UTF-8") from error
        if not heading.strip():
            raise EmptyFile("the row of headings is empty")
        separator = told["separator"].decode() if told else max(_SEPARATORS, key=heading.count)
        self._reader = csv.reader(_text(heading, source), delimiter=separator, strict=True)
        try:
            self.header: Header = read_header(next(self._reader))
        except csv.Error as error:
            raise BrokenQuotes(f"the first row cannot be read: {error}") from error
        self._line_of: dict[str, int] = {}

    def __iter__(self) -> Iterator[CatalogueRow | RowRejected]:
        while True:
            line = self._before + self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                until = self._before + self._reader.line_num
                yield rejected(line, None, "", BrokenQuotes(f"lines {line} to {until} cannot be read: {error}"))
                continue
            if any(cell.strip() for cell in cells):
                yield self._once(read_row(self.header, line, cells))

    def _once(self, row: CatalogueRow | RowRejected) -> CatalogueRow | RowRejected:
        if isinstance(row, RowRejected):
            return row
        earlier = self._line_of.setdefault(row.sku.casefold(), row.line)
        if earlier == row.line:
            return row
        repeated = RepeatedInFile(f"SKU {row.sku!r} is in line {earlier} and in line {row.line}")
        return rejected(row.line, self.header.heading_of(Column.SKU), row.sku, repeated)


def _ended_alike(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Old Macintosh programs end lines with CR alone: their whole file arrives as one line."""
    first = next(lines, b"")
    if b"\r" in first.rstrip(b"\r\n"):
        for line in chain([first], lines):
            yield from line.splitlines(keepends=True)
    else:
        yield from chain([first], lines)


def _text(heading: str, rest: Iterator[bytes]) -> Iterator[str]:
    """Bytes that are no UTF-8 come through marked, so that the row they are in is rejected and no other."""
    yield heading
    for line in rest:
        yield line.decode("utf-8", "surrogateescape")
