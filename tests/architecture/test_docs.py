"""The pages hold together: links lead somewhere, indexes are whole, and what pages say of the code is so."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oms.domain.phase import Phase
from oms.domain.stage import Effect, Stage, course_for
from oms.seams import PHASES
from tests.architecture.sources import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?)\s*#*$", re.MULTILINE)
ANCHOR = re.compile(r"""<a +(?:id|name)=["']([^"']+)["']""")


def prose(page: Path) -> str:
    """Return the text of *page* without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the fragments that lead into *page*: its headings as GitHub spells them, and explicit anchors."""
    text = prose(page)
    found: set[str] = set(ANCHOR.findall(text))
    for heading in HEADING.findall(text):
        words = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0].partition("]")[0][1:], heading).lower())
        slug = words.replace(" ", "-")
        found.add(
            next(f"{slug}-{n}" if n else slug for n in range(len(text)) if (f"{slug}-{n}" if n else slug) not in found)
        )
    return found


def broken_links(page: Path) -> list[str]:
    """Return each link of *page* that leads to no file of the repository, or to no heading in it."""
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    """Every link within the repository leads to a file, and every fragment to a heading."""
    broken = broken_links(page)

    assert [] == broken, "\n".join(broken)


def test_broken_links_are_seen(tmp_path: Path) -> None:
    """A link to nowhere is found, and one inside a fenced block is an example."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One word, `two`\n\n## Again\n\n## Again\n<a id='here'></a>\n\n"
        "[a](#one-word-two) [b](#again-1) [c](page.md#here) [d](https://example.org/x)\n\n```sh\n[x](gone.md)\n```\n\n[e](gone.md) [f](#gone)\n"
    )

    assert ["gone.md", "#gone"] == broken_links(page)


def test_decisions_are_indexed() -> None:
    """Every page of docs/adr stands in its index."""
    folder = ROOT / "docs" / "adr"
    linked = set(LINK.findall((folder / "README.md").read_text(encoding="utf-8")))

    assert {page.name for page in folder.glob("*.md")} - {"README.md"} <= linked


def test_glossary_stages() -> None:
    """The glossary names the stages in their order, and the phases in the roadmap's."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    quoted = re.findall(r"`(\w+)`", text)
    first = list(dict.fromkeys(word for word in quoted if word in {stage.value for stage in Stage}))

    assert [stage.value for stage in Stage] == first
    assert list(PHASES) == list(dict.fromkeys(word for word in quoted if word in PHASES))
    assert Phase("cache").flag in text


def test_glossary_table() -> None:
    """The glossary's table says of each stage who answers, who is compared, and where a write goes, as calls are routed."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w-]+) \| ([\w, ]+) \|$", text, re.MULTILINE)

    assert [_row(stage) for stage in Stage] == told


def _row(stage: Stage) -> tuple[str, str, str, str]:
    read, write = course_for(stage, Effect.READS), course_for(stage, Effect.WRITES)
    sides = [write.answers, *([write.beside] if write.beside else [])]
    return (
        stage.value,
        read.answers.value,
        read.beside.value if read.beside else "-",
        ", ".join(side.value for side in sides),
    )


def test_make_targets() -> None:
    """Every make target that a page tells the reader to type exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    typed = re.compile(r"(?:^|`)make((?: [a-z]+)+)", re.MULTILINE)
    told = {
        word for page in PAGES for words in typed.findall(page.read_text(encoding="utf-8")) for word in words.split()
    }

    assert {"run", "test"} <= told
    assert set() == told - targets


def test_usage() -> None:
    """The commands stand in the README as their own help prints them, all of them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^oms (.*)$", readme, re.MULTILINE)

    assert told == [usage(line) for line in told]


def usage(line: str) -> str:
    """Return what the command at the beginning of *line* says of its own use, on one line."""
    words = itertools.takewhile(lambda word: word.isalpha() and word.islower(), line.split())
    program = [sys.executable, "-c", "import sys; from oms.cli.main import main; sys.exit(main())", *words, "--help"]
    printed = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return " ".join(printed.partition("\n\n")[0].removeprefix("usage: oms ").split())
