"""Files as they come: encodings, marks, and what cannot be understood."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from oms.domain.errors import BadInput
from oms.migration.scan.files import find_files
from oms.migration.scan.source import Source, Spans, Unparsed, parse_source, parse_text, read_source


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x = (\n", "line 1: '(' was never closed"),
        (b"os.environ[\n", "line 1: '[' was never closed"),
        (b"x = '\xe9'\n", "line 1: byte 5 is not utf-8, and no other encoding is declared"),
        (b"a = 1\nx = '\xe9'\n", "line 2: byte 11 is not utf-8, and no other encoding is declared"),
        (b"# coding: klingon\nx = 1\n", "encoding: unknown encoding: klingon"),
        ("x = 1".encode("utf-16"), "found UTF-16 or UTF-32, wanted an encoding that Python reads as source"),
        (b"x = 1\0\n", "line 1: source code string cannot contain null bytes"),
        (b"environ = 1\0\n", "line 1: source code string cannot contain null bytes"),
        (b"print 'environ'\n", "line 1: Missing parentheses in call to 'print'. Did you mean print(...)?"),
    ],
)
def test_unparsed(raw: bytes, reason: str) -> None:
    """A file that is not understood has its reason on one line, whether it mentions the environment or not."""
    found = parse_source(Path("a.py"), "a.py", raw)

    assert Unparsed("a.py", reason) == found


@pytest.mark.parametrize(
    ("raw", "mark"),
    [
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "encoding iso-8859-1 as declared"),
        (b"\xef\xbb\xbfx = 1\n", "byte order mark"),
        (b"x = 1\r\n", "CRLF line ends"),
        (b"if x:\n\ty = 1\n", "tabs"),
        (b"x = 1\n\f\ny = 2\n", "form feed"),
        (b"x = 1", "no line end at the end"),
    ],
)
def test_marks(raw: bytes, mark: str) -> None:
    """What is unusual about the bytes is named, and encoding the text again gives the same bytes."""
    source = parse_source(Path("a.py"), "a.py", raw)

    assert isinstance(source, Source)
    assert (mark,) == source.marks
    assert raw == source.encode(source.text)


def test_spans() -> None:
    """Offsets hold with every line end that Python knows, and a form feed or U+2028 is none."""
    text = "a = 1\r\nb = 'é\u2028'; c = 2\r\f\nd = 3\n"
    tree, spans = parse_text(text), Spans(text)

    assert ["a = 1", "b = 'é\u2028'", "c = 2", "d = 3"] == [spans.text(node) for node in tree.body]


def names(folder: Path, exclude: Sequence[str] = ()) -> list[str]:
    """Return the Python files found below *folder*."""
    found = find_files(folder, exclude=exclude)
    return [found.name(file) for file in found.files]


def test_find(tmp_path: Path) -> None:
    """Python files are found in order; hidden folders, caches, environments and what is excluded are not looked at."""
    for name in ("b.py", "a/c.pyw", ".git/x.py", "venv/lib/x.py", "__pycache__/x.py", "old/x.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    found = find_files(tmp_path, exclude=["old"])

    assert ["a/c.pyw", "b.py"] == names(tmp_path, ["old"])
    assert [("old", "excluded on the command line"), ("venv", "virtual environment, not looked at")] == [
        (note.file, note.text) for note in found.notes
    ]


def test_links(tmp_path: Path) -> None:
    """No link is followed, so no loop and no file twice; each has its line."""
    (tmp_path / "a.py").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "twice.py").symlink_to("a.py")
    (tmp_path / "self.py").symlink_to("self.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")

    assert ["a.py"] == names(tmp_path)
    assert {
        "gone.py": "symbolic link that leads nowhere or in a circle, not followed",
        "loop": "symbolic link to a folder above it (a loop), not followed",
        "self.py": "symbolic link that leads nowhere or in a circle, not followed",
        "twice.py": "symbolic link, not followed",
    } == {note.file: note.text for note in find_files(tmp_path).notes}


def test_odd_entries(tmp_path: Path) -> None:
    """A named pipe is not opened, and a name that is no text is shown with escapes."""
    os.mkfifo(tmp_path / "pipe.py")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text("x = 1\n")

    assert ["\\xff.py"] == names(tmp_path)
    assert ["not a regular file, not looked at"] == [note.text for note in find_files(tmp_path).notes]


def test_missing(tmp_path: Path) -> None:
    """A path that is not there, leads in a circle or is neither file nor folder is bad input, on one line."""
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe")

    for name, found in (("nowhere", "found nothing"), ("self", "found Too many levels"), ("pipe", "found neither")):
        with pytest.raises(BadInput, match=found) as caught:
            find_files(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_vanished(tmp_path: Path) -> None:
    """A file that goes away between finding and reading is reported, not fatal."""

    assert Unparsed("a.py", "cannot be read: No such file or directory") == read_source(tmp_path / "a.py", "a.py")
