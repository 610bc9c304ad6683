"""A stored divergence as a test that fails until the side that is wrong answers as the other one does."""

from __future__ import annotations

import importlib
import inspect
import keyword
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from oms.console.numbers import utc
from oms.console.stand_ins import Source, source_of
from oms.domain.errors import PinRefused
from oms.domain.phase import Operation, Seam
from oms.domain.stage import Effect, Side
from oms.journal.entries import DivergenceGroup

_WIDTH = 118
_ERROR = "error"


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
    if operation.effect is Effect.EFFECTS:
        raise PinRefused(
            f"{group.fingerprint}: found {name}, which calls its caller's function, wanted a read or a write;"
            " write the case by hand"
        )
    sample = _newest(group)
    if sample is None:
        raise PinRefused(
            f"{group.fingerprint}: found no sample with the arguments of its call, wanted one;"
            " it was stored by an older version: pin it when it is seen again"
        )
    return "\n".join(_lines(group, seam, constant, operation, sample)) + "\n"


def _lines(
    group: DivergenceGroup, seam: Seam[Any, Any], constant: str, operation: Operation, sample: Mapping[str, Any]
) -> Iterator[str]:
    path, mend = _path(group, operation, sample), side_to_mend(group)
    write, values = _preparation(group, seam, operation, sample, path)
    imports = sorted({module for source, _ in values.values() for module in source.modules})
    needs_shape = any(shape for _, shape in values.values())
    yield from _docstring(_about(group), "")
    yield ""
    yield "from __future__ import annotations"
    yield ""
    yield from (f"import {module}" for module in imports)
    yield "from collections.abc import Callable"
    yield "from typing import Any"
    yield ""
    yield "from oms.domain.phase import Seam"
    yield "from oms.domain.stage import Side"
    yield f"from oms.seams.{group.phase} import {constant}"
    yield f"from oms.testing import BothSides{', shaped' if needs_shape else ''}"
    yield ""
    yield ""
    yield f"def test_{operation.name}_{group.fingerprint}(both_sides: Callable[[Seam[Any, Any]], BothSides]) -> None:"
    yield f'    """{mend} answers {group.phase}.{group.seam}.{operation.name} as {mend.other} does."""'
    yield f"    both = both_sides({constant})"
    if operation.named_by:
        yield "    # FILL IN: what else the answer depends on, such as the variables of the environment, is not in the journal."
    for parameter, (source, shape) in values.items():
        text = f"shaped({_quoted(shape)}, {source.text})" if shape else source.text
        if source.stands_for:
            yield f"    # FILL IN: this stands for a {source.stands_for}; values that the port does not name are not kept."
        yield f"    {_variable(parameter)} = {text}"
    if write is not None:
        yield f"    both.call({_call(write, _given(write, values, sample.get('write', {}), is_write=True))})"
    yield ""
    asked = _call(operation, _given(operation, values, sample["call"], is_write=False))
    yield f"    asked = both.ask({asked})"
    yield ""
    yield f"    assert [] == asked.differences(mend=Side.{mend.name}{f', at={_quoted(path)}' if path else ''})"


def _about(group: DivergenceGroup) -> str:
    kind = group.kind.replace("_", " ")
    rule = f" The rule {group.known} accepts it." if group.known else ""
    return (
        f"{group.phase}.{group.seam}.{group.operation}: {kind}, {group.types[0]} from legacy, {group.types[1]} from unified.\n\n"
        f"Seen {group.count:,} times at {', '.join(group.stages)}, last {utc(group.last_seen)}.{rule}"
        f" Made by ``{shlex.join(['oms', 'pin', group.fingerprint])}``. It is red while the sides differ there; once it is green,"
        " state the promise in the contract of the phase and delete this file."
    )


def _preparation(
    group: DivergenceGroup, seam: Seam[Any, Any], operation: Operation, sample: Mapping[str, Any], path: str
) -> tuple[Operation | None, dict[str, tuple[Source, str]]]:
    """Return the write that comes before a read of a key that was written, and by parameter each value with the path it stands at."""
    values = {name: (_source(group, name, described), "") for name, described in sample["call"].items()}
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
            values[name] = (_source(group, name, sample["write"][name]), "")
        elif name != write.key and parameter.default is inspect.Parameter.empty:
            values[name] = _stored(group, sample, path)
    return write, values


def _stored(group: DivergenceGroup, sample: Mapping[str, Any], path: str) -> tuple[Source, str]:
    """Return what stands for the value that was written: at the place where the sides differ it is what the right side has."""
    right = _described(sample, side_to_mend(group).other)
    if group.kind == _ERROR or path.partition(".")[0] == _ERROR:
        return (Source('"x"', "value of any type") if right.get("raised") else _source(group, "the answer", right)), ""
    found = _source(group, path or "the answer", right)
    if group.kind == "key":
        # The side that is right has a key of this type; the path ends in the map that it belongs to.
        parent = path.rpartition(".")[0]
        return Source(f"{{{found.text}: 1}}", f"dict with a key of type {right.get('type')}"), parent
    return (Source(found.text, found.stands_for or "value with this field"), path) if path else (found, "")


def _source(group: DivergenceGroup, what: str, described: Mapping[str, object]) -> Source:
    found = source_of(described)
    if found is None:
        raise PinRefused(
            f"{group.fingerprint}: found {what} of type {described.get('type')}, for which nothing can stand,"
            " wanted one of Python's own; write the case by hand"
        )
    return found


def _given(
    operation: Operation, values: Mapping[str, tuple[Source, str]], described: Mapping[str, object], *, is_write: bool
) -> list[str]:
    """Return the parameters of *operation* that are given, in its order."""
    parameters = operation.signature.parameters.values()
    return [
        one.name
        for one in parameters
        if one.name in values and (one.name in described or (is_write and one.default is one.empty))
    ]


def _call(operation: Operation, given: list[str]) -> str:
    arguments = "".join(f", {name}={_variable(name)}" for name in given)
    return f'"{operation.name}"{arguments}'


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
    return next((sample for _, sample in reversed(group.samples) if isinstance(sample.get("call"), Mapping)), None)


def _described(sample: Mapping[str, object], side: Side) -> Mapping[str, object]:
    found = sample.get(side.value)
    return found if isinstance(found, Mapping) else {}


def _variable(name: str) -> str:
    return f"{name}_" if name in ("both", "both_sides", "asked") or keyword.iskeyword(name) else name


def _quoted(text: str) -> str:
    quoted = ascii(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in quoted else quoted


def _docstring(text: str, indent: str) -> Iterator[str]:
    safe = text.replace("\\", "/").replace('"""', "'''").encode("ascii", "replace").decode()
    paragraphs = [textwrap.wrap(one, _WIDTH, break_long_words=False) for one in safe.split("\n\n")]
    lines = [line for paragraph in paragraphs for line in (*paragraph, "")][:-1]
    lines[0] = f'"""{lines[0]}'
    yield from (f"{indent}{line}" if line else "" for line in lines)
    yield f'{indent}"""'
