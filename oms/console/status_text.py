"""The status screen: one look, at most 100 columns, a glyph and a word for every state, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from oms.domain.split import percent_text
from oms.domain.stage import Stage, after
from oms.rollout.guard.ramp import Action, Assessment
from oms.rollout.guard.wording import controller_text, guards_text, latches_text, next_text
from oms.rollout.status import PhaseStatus, ProcessStatus, StatusReport
from oms.rollout.wording import age_text, clock_text

WIDTH = 100

# Percent: the first step to live that the screen proposes, because unified has answered nobody before it.
_FIRST_SHARE = 5
_STYLES = {"ok": "green", "!": "yellow", "x": "bold red"}


def print_status(report: StatusReport, stream: TextIO, *, colour: bool) -> None:
    """Write the screen to *stream*; *colour* adds colours to words that say the same without them."""
    console = Console(
        file=stream, color_system="standard" if colour else None, highlight=False, markup=False, emoji=False
    )
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    # Rich ends the process when a reader has left; written here, the entrance decides what that means.
    with console.capture() as screen:
        console.print(_headline(report))
        console.print(_phases(report))
        if report.processes:
            console.print(_processes(report))
        for label, sentence in _remarks(report):
            console.print(_remark(label, sentence))
    stream.write("".join(f"{line.rstrip()}\n" for line in screen.get().splitlines()))


def verdict(status: PhaseStatus) -> tuple[str, str]:
    """Return the glyph and the word for one phase, the worst that holds."""
    if status.now.problem:
        return "x", "broken"
    if status.tripped or status.latch.tripped:
        return "x", "tripped"
    if status.latch.paused:
        return "!", "paused"
    if status.rollout is not None and _is_frozen(status.rollout):
        return "!", "frozen"
    if status.lags:
        return "!", "waiting"
    return "ok", "good"


def _is_frozen(found: Assessment) -> bool:
    facts = found.facts
    orders = (facts.latch.frozen, facts.latched.frozen)
    return any(order is not None and order.holds_at(facts.now_s) for order in orders)


def stage_words(status: PhaseStatus) -> str:
    """Return where a phase stands: ``shadow``, ``live 5%, shadow 95%``, or the stages that targeting leads to."""
    split = status.split
    if split is None:
        return status.now.text
    if split.is_whole:
        return split.most_advanced.value
    return ", ".join(f"{stage.value} {percent_text(weight)}%" for stage, weight in split.weights)


def next_commands(status: PhaseStatus) -> list[str]:
    """Return what to type next for one phase: the way on if nothing is wrong, the way back if there is one."""
    name = status.phase.name
    glyph, word = verdict(status)
    stands_back = status.now.most_advanced.rank <= Stage.SHADOW.rank and not status.now.problem and not status.tripped
    if word == "paused" or (word == "tripped" and stands_back):
        return [f"oms resume {name} --reason TEXT"]
    if glyph == "x":
        return [f"oms rollback {name}"]
    on = (
        after(status.now.most_advanced, writes=status.phase.writes)
        if len(status.now.stages) == 1
        else status.now.most_advanced
    )
    begins = on is Stage.LIVE and len(status.now.stages) == 1
    share = f"={_FIRST_SHARE}" if begins else ""
    forward = [f"oms flip {name} {on.value}{share} --why TEXT"] if on is not None and glyph == "ok" else []
    back = [] if status.now.most_advanced.rank == 0 else [f"oms rollback {name}"]
    return forward + back


def _headline(report: StatusReport) -> Text:
    agreeing = sum(1 for process in report.processes if _agrees(process, report))
    total = len(report.processes)
    processes = f"{agreeing} of {total} processes agree" if total else "no process is running"
    words = ("oms", f"flags: {report.source}", processes, controller_text(report.term), clock_text(report.at))
    return Text(" | ".join(words), style="bold")


def _agrees(process: ProcessStatus, report: StatusReport) -> bool:
    return not any(lag.startswith(f"pid {process.pid} ") for status in report.phases for lag in status.lags)


def _phases(report: StatusReport) -> Table:
    table = _table("", "PHASE", "STAGE", "DIGEST", "AGREE", "TRIPPED", "REPAIRS", "AGE")
    for status in report.phases:
        glyph, word = verdict(status)
        table.add_row(
            Text(f"{glyph:<2} {word}", style=_STYLES[glyph]),
            status.phase.name,
            stage_words(status),
            status.now.digest[:8],
            f"{status.followed_by - len(status.lags)}/{status.followed_by}",
            status.tripped or "-",
            str(status.repairs),
            "-" if status.age_s is None else age_text(status.age_s),
        )
    return table


def _processes(report: StatusReport) -> Table:
    table = _table("", "PID", "HOST", "LAST BEAT", "SERVES OTHER FLAGS FOR")
    for process in report.processes:
        glyph, word = ("!", "silent") if process.silent else ("ok", "beats")
        others = [
            status.phase.name
            for status in report.phases
            if process.digests.get(status.phase.name, status.now.digest) != status.now.digest
        ]
        table.add_row(
            Text(f"{glyph:<2} {word}", style=_STYLES[glyph]),
            str(process.pid),
            process.host,
            f"{age_text(process.beat_age_s)} ago",
            " ".join(others) or "-",
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _remarks(report: StatusReport) -> Iterator[tuple[str, str]]:
    for status in report.phases:
        yield from _about(status, is_alone=len(report.phases) == 1)
    for process in report.processes:
        if process.silent:
            yield (
                "why",
                f"pid {process.pid} is silent: it may be stopped or starved; kill -CONT {process.pid}, or end it",
            )
    if report.ended:
        yield "note", f"ended without taking leave: pid {', '.join(map(str, report.ended))}"
    yield from (("note", note) for note in report.notes)
    yield from (("do", command) for command in _what_to_do(report))


def _what_to_do(report: StatusReport) -> list[str]:
    """Bad news first and alone; else the phases that somebody follows or has moved; else how to begin."""
    wanted = [status for status in report.phases if verdict(status)[0] == "x"]
    wanted = wanted or [status for status in report.phases if status.followed_by or status.now.most_advanced.rank]
    wanted = wanted or [status for status in report.phases if len(report.phases) == 1]
    return [command for status in wanted for command in next_commands(status)] or ["oms flip PHASE STAGE --why TEXT"]


def _about(status: PhaseStatus, *, is_alone: bool) -> Iterator[tuple[str, str]]:
    """Yield what is to be said of a phase; where it is asked for alone, everything that holds it."""
    name, last = status.phase.name, status.last
    if status.now.problem:
        word = "the last good flag" if status.now.origin == "last-good" else "the declared default"
        yield "why", f"{status.now.problem}"
        yield (
            "why",
            f"{name}: {word} ({status.now.text}) is served until that is mended",
        )
    if status.tripped:
        pids = ", ".join(map(str, status.tripped_in))
        yield (
            "why",
            f"{name}: a guard put {status.tripped} in force in pid {pids}; oms rollback {name} makes it so everywhere",
        )
        yield from (("why", f"{name}: pid {pid}: {by}") for pid, by in status.tripped_in.items() if by)
    for lag in status.lags:
        yield "why", f"{name}: {lag}"
    if status.rollout is not None:
        yield from (("why", sentence) for sentence in latches_text(status.rollout))
        if status.rollout.next.action is not Action.BY_HAND or status.rollout.guards:
            yield "next", f"{name}: guards {guards_text(status.rollout)} | {next_text(status.rollout)}"
        if is_alone and len(holds := status.rollout.next.holds) > 1:
            yield from (("hold", one) for one in holds)
    if last is not None:
        yield (
            "last",
            f"{name}: {last.flip.from_split} -> {last.flip.to_split} by {last.flip.who}, {clock_text(last.flip.at)}: {last.flip.why}",
        )


def _remark(label: str, sentence: str) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=4)
    table.add_column(overflow="fold")
    table.add_row(Text(label, style="dim"), Text(sentence, style="bold red" if label == "why" else ""))
    return table
