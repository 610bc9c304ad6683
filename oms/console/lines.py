"""Lines of at most 100 columns for a terminal, with or without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

WIDTH = 100


def wrapped(text: str, indent: str, *, first: str | None = None) -> Iterator[str]:
    """Yield *text* in lines that begin with *indent*, the first one with *first*, which may hold colour; nothing for no text."""
    text = printable(text)
    if text:
        # Colour takes no room: the first line is wrapped without its beginning, which is then put in front.
        lead = indent if first is None else first
        room = len(_plain(lead))
        lines = textwrap.wrap(text, WIDTH, initial_indent=" " * room, subsequent_indent=indent, break_on_hyphens=False)
        yield lead + lines[0][room:]
        yield from lines[1:]


def cut(text: str, width: int) -> str:
    """Return *text* in at most *width* columns."""
    text = printable(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def painted(word: str, code: str, colour: bool) -> str:
    """Return *word* in the ANSI colour *code*, or as it is."""
    return f"\x1b[{code}m{word}\x1b[0m" if colour else word


def printable(text: str) -> str:
    """Leave out what would steer the terminal: reasons and paths are other people's text."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def _plain(text: str) -> str:
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])
