"""One source file: its bytes, its text and its tree."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from symtable import symtable

BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_WORDS = (b"environ", b"getenv", b"BaseSettings", b"putenv", b"unsetenv")
_WORD = re.compile(rb"\b(?:environb?|getenvb?|putenv|unsetenv|BaseSettings)\b")
_STARRED = re.compile(rb"from[ \t]+os[ \t]+import[ \t]*\*")
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A file that was looked at but not understood; a result to print, never a zero.

    Attributes:
        file: Path below the folder that was given, with forward slashes.
        reason: Why, on one line.
    """

    file: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file as it was read, and what Python makes of it.

    Attributes:
        path: Where it lies.
        file: Path below the folder that was given, with forward slashes.
        raw: Every byte of it.
        encoding: As declared, ``utf-8`` without a declaration. A byte order mark is no part of the text.
        text: The decoded text, line ends as they are.
        tree: Its syntax tree; None for one without a word of what is looked for, of which only the syntax was checked.
    """

    path: Path
    file: str
    raw: bytes
    encoding: str
    text: str
    tree: ast.Module | None

    @property
    def bom(self) -> bytes:
        """The byte order mark, if the file starts with one."""
        return BOM if self.raw.startswith(BOM) else b""

    @property
    def marks(self) -> tuple[str, ...]:
        """What is unusual about the bytes and is kept by a rewrite."""
        found = {
            f"encoding {self.encoding} as declared": self.encoding != "utf-8",
            "byte order mark": bool(self.bom),
            "CRLF line ends": b"\r\n" in self.raw,
            "tabs": b"\t" in self.raw,
            "form feed": b"\f" in self.raw,
            "no line end at the end": bool(self.raw) and not self.raw.endswith((b"\n", b"\r")),
        }
        return tuple(mark for mark, there in found.items() if there)

    def encode(self, text: str) -> bytes:
        """Return *text* as bytes of this file: its encoding, its byte order mark."""
        return self.bom + text.encode(self.encoding)


def may_access(raw: bytes) -> bool:
    """Return whether a file of these bytes can reach the environment in a way that this package knows."""
    # The plain search first: it is ten times as fast, and most files have none of the words. "environment" is not one of them.
    mentioned = any(word in raw for word in _WORDS) and _WORD.search(raw) is not None
    return mentioned or _STARRED.search(raw) is not None


def always(_raw: bytes) -> bool:
    """Return True: the tree is wanted of any file."""
    return True


def read_source(path: Path, file: str, *, wanted: Callable[[bytes], bool] = may_access) -> Source | Unparsed:
    """Read and parse *path*; whatever stands in the way becomes the reason of an `Unparsed`.

    Args:
        wanted: Tells from the bytes whether the tree is wanted; of other files only the syntax is checked.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return Unparsed(file, f"cannot be read: {error.strerror}")
    return parse_source(path, file, raw, wanted=wanted)


def parse_source(
    path: Path, file: str, raw: bytes, *, wanted: Callable[[bytes], bool] = may_access
) -> Source | Unparsed:
    """Decode and parse *raw* as the content of *path*, as `read_source` does."""
    if raw.startswith(_WIDE_BOMS):
        return Unparsed(file, "found UTF-16 or UTF-32, wanted an encoding that Python reads as source")
    try:
        encoding = _encoding(raw)
        text = raw.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Unparsed(
            file, f"line {line}: byte {error.start} is not {error.encoding}, and no other encoding is declared"
        )
    except (SyntaxError, LookupError) as error:
        return Unparsed(file, f"encoding: {error}")
    try:
        tree = parse_text(text) if wanted(raw) else None
        if tree is None:
            _check(text)
    except SyntaxError as error:
        return Unparsed(file, f"line {error.lineno or 1}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Unparsed(file, f"does not parse: {str(error) or type(error).__name__}")
    return Source(path, file, raw, encoding, text, tree)


def _check(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Parses as `ast.parse` does but makes no nodes: a fifth faster over the many files that have nothing to tell.
        symtable(text, "", "exec")


def parse_text(text: str) -> ast.Module:
    """Parse *text* without Python's warnings about it: they are the author's matter, not this tool's.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse` does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


class Spans:
    """Where the nodes of one text lie in its UTF-8 bytes, which is how the parser counts columns."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        # Only the line ends that the parser knows: a form feed or U+2028 is part of its line.
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(self.data))]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset of the first byte of *node*."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset after the last byte of *node*."""
        return self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def text(self, node: ast.expr | ast.stmt) -> str:
        """Return the source text of *node*."""
        return self.data[self.start(node) : self.end(node)].decode("utf-8", "replace")

    def column(self, node: ast.expr | ast.stmt) -> int:
        """Return the column of *node* in characters, the first being 1."""
        line = self._starts[node.lineno - 1]
        return len(self.data[line : line + node.col_offset].decode("utf-8", "replace")) + 1

    def line_start(self, line: int) -> int:
        """Return the offset at which *line* starts, the first being 1; the end of the text for the line after the last."""
        return self._starts[line - 1] if line <= len(self._starts) else len(self.data)


def _encoding(raw: bytes) -> str:
    if b"coding" not in raw[:400] and not raw.startswith(BOM):
        return "utf-8"
    found, _lines = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return "utf-8" if found == "utf-8-sig" else found
