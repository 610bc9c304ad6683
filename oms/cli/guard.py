"""``oms guard``: the controller. It moves phases on by their policy and takes them back when a guard trips."""

from __future__ import annotations

import argparse
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, sources, switchboard, terms
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import phase_name
from oms.domain.errors import BadInput, CouldNot

if TYPE_CHECKING:
    from oms.domain.phase import Phase
    from oms.rollout.guard.controller import Controller, Look, PhaseLook
    from oms.rollout.guard.leader import Candidate

_AGAIN_S = 60.0
_SELDOM_S = 5.0
"""A leader that looks less often than every ten seconds counts as stopped, and others take its place."""
_FIGURES = re.compile(r"[\d.,%]+( (s|min|h|d)\b)?")
_EXAMPLES = """\
examples:
  oms guard
  oms guard cache --once --json
  oms guard --plan
  oms guard --profile rehearsal --every 0.2s

It goes by rollout.toml beside the flag files. Of several only one leads; the others watch.
Ended by Ctrl-C or SIGTERM; it may be killed at any instant.
exit code 1 if a phase holds (--once), 3 if one is tripped
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "guard",
        help="move phases on by their policy, take them back when a guard trips",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms guard [PHASE...] [--once] [--every DURATION] [--profile NAME]\n                 [--no-promote] [--plan] [--json]",
    )
    parser.add_argument("phases", metavar="PHASE", nargs="*", type=phase_name, help="only these (default: all)")
    parser.add_argument("--once", action="store_true", help="look once, do what follows, and end")
    parser.add_argument("--every", metavar="DURATION", type=_every, default=1.0, help="how often to look (default 1s)")
    parser.add_argument("--profile", metavar="NAME", help="a profile of the policy, as in rehearsal")
    parser.add_argument("--no-promote", action="store_true", help="watch and take back, move nothing on")
    parser.add_argument("--plan", action="store_true", help="print the steps and how soon each finds what, and end")
    parser.add_argument("--json", action="store_true", help="print one JSON object, at the end")
    parser.set_defaults(run=_guard, parser=parser)


def _every(text: str) -> float:
    from oms.rollout.guard.duration import WANTED, parse_duration

    found = parse_duration(text)
    if not found or found > _SELDOM_S:
        raise BadInput("--every", found=repr(text), wanted=f"{WANTED}, above 0 and at most {_SELDOM_S:g}s")
    return found


def _guard(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.controller import Controller
    from oms.rollout.guard.leader import Candidate
    from oms.seams import PHASES

    folders = folders_of(arguments)
    phases = [PHASES[name] for name in (arguments.phases or PHASES)]
    if arguments.plan:
        return _plan(arguments, out, phases)
    board = switchboard(folders, warn=out.warn)
    found = sources(folders, board, profile=arguments.profile)
    with Candidate(terms(folders), profile=arguments.profile) as leader:
        controller = Controller(found, leader=leader, promote=not arguments.no_promote)
        run = Run(controller, leader, phases, out)
        if arguments.once:
            run.look()
        else:
            run.until_ended(arguments.every)
        return run.end(once=arguments.once)


class Run:
    """Looks, and tells what is new since the look before."""

    def __init__(self, controller: Controller, leader: Candidate, phases: list[Phase], out: Output) -> None:
        self._controller, self._leader, self._phases, self._out = controller, leader, phases, out
        self._said: dict[str, tuple[str, float]] = {}
        self._text: dict[str, str] = {}
        self._events: list[dict[str, object]] = []
        self._look: Look | None = None

    def look(self) -> None:
        """Look once and tell."""
        from oms.rollout.guard.wording import event_json

        self._look = self._controller.look(self._phases)
        self._say(
            "",
            f"leads (term {self._leader.number})" if self._look.leads else "another controller leads; this one watches",
        )
        for one in self._look.phases:
            self._tell(one)
            event = event_json(one)
            if event is not None:
                self._events.append(event)
        for name, why in self._look.failed:
            self._warn(name, f"could not be looked at: {why}")

    def until_ended(self, every_s: float) -> None:
        """Look every *every_s* seconds until somebody ends it. Whatever goes wrong is told, and tried again: nobody else takes phases back."""
        with _ended() as ended:
            while not ended.is_set():
                try:
                    self.look()
                except (CouldNot, OSError) as error:
                    self._warn("", str(error))
                except Exception as error:  # a defect; the next look may not meet it
                    self._warn("", f"could not look: {type(error).__name__}: {error}")
                ended.wait(every_s)

    def end(self, *, once: bool) -> int:
        """Print the object and return the exit code."""
        from oms.rollout.guard.leader import newest_term
        from oms.rollout.guard.wording import look_json

        if self._look is None:
            return Exit.COULD_NOT
        term = newest_term(self._leader.terms)
        self._out.result({**look_json(self._look, term), "events": self._events})
        if any(one.assessment.facts.latch.tripped for one in self._look.phases) or self._went_back():
            return Exit.REFUSED
        if self._look.failed:
            return Exit.COULD_NOT
        holds = any(one.assessment.next.holds for one in self._look.phases)
        return Exit.NOT_YET if once and holds else Exit.GOOD

    def _went_back(self) -> bool:
        return any(event["action"] in ("rollback", "latch") for event in self._events)

    def _tell(self, look: PhaseLook) -> None:
        from oms.rollout.guard.wording import guards_text, next_text

        found = look.assessment
        name = found.facts.phase.name
        if look.done:
            self._out.line(f"{name}: {look.done}")
        for warning in look.warnings:
            self._warn(name, warning)
        self._say(name, f"{found.facts.now.text} | guards {guards_text(found)} | {next_text(found)}")

    def _say(self, name: str, text: str) -> None:
        """Tell what is new; of what only counts on, a line a minute."""
        what, now_s = _FIGURES.sub("#", text), time.monotonic()
        before, said_s = self._said.get(name, ("", -_AGAIN_S))
        if what != before or (text != self._text.get(name) and now_s - said_s >= _AGAIN_S):
            self._said[name], self._text[name] = (what, now_s), text
            self._out.line(f"{name or 'oms guard'}: {text}")

    def _warn(self, name: str, text: str) -> None:
        if self._text.get(f"{name}!") != text:
            self._text[f"{name}!"] = text
            self._out.warn(f"{name or 'oms guard'}: {text}")


@contextmanager
def _ended() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets, so that a look in progress comes to its end."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plan(arguments: argparse.Namespace, out: Output, phases: list[Phase]) -> int:
    """Print each phase's steps, and after how many calls of both sides a regression of errors is found there."""
    from oms.rollout.guard.plan import plan_json, plan_lines
    from oms.rollout.guard.policy_file import FILE, read_policy
    from oms.seams import PHASES

    policy = read_policy(folders_of(arguments).flags / FILE, tuple(PHASES), profile=arguments.profile)
    for phase in phases:
        for line in plan_lines(phase.name, policy.phases[phase.name]):
            out.line(line)
    out.result({"schema": 1, "phases": {phase.name: plan_json(policy.phases[phase.name]) for phase in phases}})
    return Exit.BAD_INPUT if policy.problems else Exit.GOOD
