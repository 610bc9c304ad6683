"""A stored divergence of retries or breakers as a test: the recorded outcomes script the caller's function, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oms.console.pinned_parts import call_text, given, head, quoted, source_for, variable
from oms.domain.errors import PinRefused
from oms.domain.phase import Operation
from oms.domain.stage import Side
from oms.journal.entries import DivergenceGroup
from oms.routing.replay.script import CUT, OK, error_named, words_in


def effect_lines(
    group: DivergenceGroup, operation: Operation, sample: Mapping[str, Any], *, constant: str, mend: Side
) -> Iterator[str]:
    """Yield the source of a test that lives through the call of *sample* again.

    Raises:
        PinRefused: if the sample has no script, or an error in it is of a class that cannot be made here.
    """
    script = _script(group, sample)
    control = Side(sample["control"])
    values = {name: (source_for(group, name, described), "") for name, described in sample["call"].items()}
    past = script["past"]
    promise = f"{mend} does in {group.phase}.{group.seam}.{operation.name} as {mend.other} does."
    yield from head(
        group, values, constant=constant, kit=["BothSides", *(["Earlier"] if past else []), "Script"], promise=promise
    )
    for parameter, (source, _) in values.items():
        if source.stands_for:
            yield f"    # This stands for a {source.stands_for}; another name does as well."
        yield f"    {variable(parameter)} = {source.text}"
    yield "    script = Script("
    yield f"        control=Side.{control.name},"
    yield from _listed("attempts", [f"({took!r}, {quoted(word)})" for took, word in script["attempts"]])
    yield from _listed("draws", [repr(draw) for draw in script["draws"]])
    yield from _listed("past", [_earlier(*run) for run in past])
    yield "    )"
    yield ""
    asked = call_text(operation, given(operation, values, sample["call"], is_write=False))
    name, _, arguments = asked.partition(", ")
    yield f"    asked = both.live_through({name}, script{f', {arguments}' if arguments else ''})"
    yield ""
    yield f"    assert [] == asked.differences(mend=Side.{mend.name}, at={quoted(group.path)})"


def has_script(sample: Mapping[str, Any]) -> bool:
    """Tell whether *sample* says what its call lived through."""
    script = sample.get("replay")
    return isinstance(script, Mapping) and {"attempts", "draws", "past"} <= script.keys()


def _script(group: DivergenceGroup, sample: Mapping[str, Any]) -> Mapping[str, Any]:
    if not has_script(sample):
        raise PinRefused(
            f"{group.fingerprint}: found no sample that says what the caller's function did, wanted one;"
            " it was stored by an older version: pin it when it is seen again"
        )
    script: Mapping[str, Any] = sample["replay"]
    for word in words_in(script):
        if word not in (OK, CUT):
            try:
                error_named(word)
            except LookupError:
                raise PinRefused(
                    f"{group.fingerprint}: found an attempt that ended with {word}, which cannot be made here,"
                    " wanted a class that can be imported and made without arguments; write the case by hand"
                ) from None
    return script


def _earlier(first_s: float, last_s: float, calls: int, words: list[str]) -> str:
    came_to = ", ".join(quoted(word) for word in words)
    return f"Earlier({first_s!r}, {last_s!r}, {calls!r}, [{came_to}])"


def _listed(name: str, entries: list[str]) -> Iterator[str]:
    """Yield one keyword argument as the formatter of this house lays it out: on one line where it fits, else a line each."""
    if not entries:
        if name == "attempts":
            yield "        attempts=[],"
        return
    line = f"        {name}=[{', '.join(entries)}],"
    if len(line) <= _LINE:
        yield line
        return
    yield f"        {name}=["
    yield from (f"            {entry}," for entry in entries)
    yield "        ],"


_LINE = 120
