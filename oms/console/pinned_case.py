"""A stored divergence as a test that fails until the side that is wrong answers as the other one does."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from oms.console.pinned_effect import effect_lines, has_script
from oms.console.pinned_parts import call_text, given, head, quoted, source_for, variable
from oms.console.stand_ins import Source, source_of
from oms.domain.errors import PinRefused
from oms.domain.phase import Operation, Seam
from oms.domain.stage import Effect, Side
from oms.journal.entries import DivergenceGroup

_ERROR = "error"
_HAS_IT = {"legacy_miss": Side.UNIFIED, "unified_miss": Side.LEGACY}


def file_name(group: DivergenceGroup) -> str:
    """Return what the file of its test is called."""
    return f"test_pinned_{group.fingerprint}.py"


def side_to_mend(group: DivergenceGroup) -> Side:
    """Return the side that is wrong: legacy where a rule accepts the difference or legacy alone has nothing or fails, else unified.

    Legacy is what callers rely on until somebody has accepted that it is wrong.
    """
    if group.known is not None or group.kind in ("legacy_miss", "extra"):
        return Side.LEGACY
    sample = _newest(group) or {}
    legacy_raised, unified_raised = (_described(sample, side).get("raised") for side in Side)
    return Side.LEGACY if legacy_raised and not unified_raised else Side.UNIFIED


def case_of(group: DivergenceGroup) -> str:
    """Return the source of a test module for *group*.

    Raises:
        PinRefused: if the journal does not hold enough of the call, or the call cannot be made again.
    """
    name = f"{group.phase}.{group.seam}.{group.operation}"
    constant, seam = _seam(group, name)
    operation = seam.operations().get(group.operation)
    if operation is None:
        raise PinRefused(f"{group.fingerprint}: found {name}, which its port does not have any more; nothing to pin")
    sample = _newest(group)
    if sample is None:
        raise PinRefused(
            f"{group.fingerprint}: found no sample with the arguments of its call, wanted one;"
            " it was stored by an older version: pin it when it is seen again"
        )
    mend = side_to_mend(group)
    if operation.effect is Effect.EFFECTS:
        lines = effect_lines(group, operation, sample, constant=constant, mend=mend)
    else:
        lines = _lines(group, seam, operation, sample, constant=constant, mend=mend)
    return "\n".join(lines) + "\n"


def _lines(
    group: DivergenceGroup,
    seam: Seam[Any, Any],
    operation: Operation,
    sample: Mapping[str, Any],
    *,
    constant: str,
    mend: Side,
) -> Iterator[str]:
    path = _path(group, operation, sample)
    write, values = _preparation(group, seam, operation, sample, path)
    needs_shape = any(shape for _, shape in values.values())
    kit = ["BothSides", *(["alike"] if _varied(group, values) else []), *(["shaped"] if needs_shape else [])]
    promise = f"{mend} answers {group.phase}.{group.seam}.{operation.name} as {mend.other} does."
    yield from head(group, values, constant=constant, kit=kit, promise=promise)
    if operation.named_by:
        yield "    # FILL IN: what else the answer depends on, such as the variables of the environment, is not in the journal."
    for parameter, (source, shape) in values.items():
        text = f"shaped({quoted(shape)}, {source.text})" if shape else source.text
        if source.stands_for:
            yield f"    # FILL IN: this stands for a {source.stands_for}; values that the port does not name are not kept."
        yield f"    {variable(parameter)} = {text}"
    yield ""
    indent, called = "    ", {}
    if varied := _varied(group, values):
        # Two values of one type seldom differ for any stand-in: a set of them that code treats differently finds more.
        called = {name: f"one_{name}" for name in varied}
        targets = ", ".join(called.values()) if len(varied) > 1 else f"({called[varied[0]]},)"
        yield f"    for {targets} in alike({', '.join(map(variable, varied))}):"
        indent = "        "
    if write is not None:
        told = call_text(write, given(write, values, sample.get("write", {}), is_write=True), called)
        yield f"{indent}both.call({told})"
    asked = call_text(operation, given(operation, values, sample["call"], is_write=False), called)
    yield f"{indent}asked = both.ask({asked})"
    yield ""
    wanted = f"mend=Side.{mend.name}{f', at={quoted(path)}' if path else ''}"
    kind = f", kind={quoted(group.kind)}" if varied else ""
    yield f"{indent}assert [] == asked.differences({wanted}{kind})"


def _varied(group: DivergenceGroup, values: Mapping[str, tuple[Source, str]]) -> list[str]:
    """Return the parameters whose stand-ins are varied: all of them, where two values of one type differ."""
    if group.kind != "value" or group.types[0] != group.types[1]:
        return []
    return [name for name, (source, _) in values.items() if source.stands_for]


def _preparation(
    group: DivergenceGroup, seam: Seam[Any, Any], operation: Operation, sample: Mapping[str, Any], path: str
) -> tuple[Operation | None, dict[str, tuple[Source, str]]]:
    """Return the write that comes before a read of a key that was written, and by parameter each value with the path it stands at."""
    values = {name: (source_for(group, name, described), "") for name, described in sample["call"].items()}
    if operation.effect is not Effect.READS or "write" not in sample or operation.key is None:
        return None, values
    write = next(
        (
            one
            for one in seam.operations().values()
            if one.effect is Effect.WRITES and one.key and not one.removes and one.is_async is operation.is_async
        ),
        None,
    )
    if write is None:
        return None, values
    for name, parameter in write.signature.parameters.items():
        if name in sample["write"]:
            values[name] = (source_for(group, name, sample["write"][name]), "")
        elif name != write.key and parameter.default is inspect.Parameter.empty:
            values[name] = _stored(group, sample, path)
    return write, values


def _stored(group: DivergenceGroup, sample: Mapping[str, Any], path: str) -> tuple[Source, str]:
    """Return what stands for the value that was written: at the place where the sides differ it is what the right side has.

    Where one side has nothing, it is what the other one has: nothing would be read of nothing on either side.
    """
    right = _described(sample, _HAS_IT.get(group.kind, side_to_mend(group).other))
    if group.kind == _ERROR or path.partition(".")[0] == _ERROR:
        return (
            Source('"x"', "value of any type") if right.get("raised") else source_for(group, "the answer", right)
        ), ""
    found = source_for(group, path or "the answer", right)
    if group.kind == "key":
        # The side that is right has a key of this type; the path ends in the map that it belongs to.
        parent = path.rpartition(".")[0]
        return Source(f"{{{found.text}: 1}}", f"dict with a key of type {right.get('type')}"), parent
    return (Source(found.text, found.stands_for or "value with this field"), path) if path else (found, "")


def _seam(group: DivergenceGroup, name: str) -> tuple[str, Seam[Any, Any]]:
    try:
        module = importlib.import_module(f"oms.seams.{group.phase}")
    except ModuleNotFoundError:
        module = None
    for constant, value in vars(module).items() if module else ():
        if isinstance(value, Seam) and value.name == group.seam:
            return constant, value
    raise PinRefused(f"{group.fingerprint}: found {name}, wanted a seam of oms.seams; it is gone, nothing to pin")


def _path(group: DivergenceGroup, operation: Operation, sample: Mapping[str, Any]) -> str:
    """Return the field path without what the call names in front of it."""
    shown = [source_of(sample["call"].get(name, {})) for name in operation.named_by]
    named = "@".join(re.sub(r'^"|"$', "", source.text) for source in shown if source)
    return group.path.removeprefix(named).removeprefix(".") if named else group.path


def _newest(group: DivergenceGroup) -> Mapping[str, Any] | None:
    """Return the newest sample that tells of its call; of effects rather one that tells what the caller's function did."""
    told = [sample for _, sample in reversed(group.samples) if isinstance(sample.get("call"), Mapping)]
    return next((sample for sample in told if has_script(sample)), next(iter(told), None))


def _described(sample: Mapping[str, object], side: Side) -> Mapping[str, object]:
    found = sample.get(side.value)
    return found if isinstance(found, Mapping) else {}
