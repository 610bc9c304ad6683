"""Deciding whether a flag file may be served. Everything here is accepted by flagd in silence and would strand callers."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from openfeature.contrib.tools.flagd.core.model import FlagStore
from openfeature.exception import OpenFeatureError

from oms.domain.phase import Phase
from oms.domain.stage import Stage, is_legal_mix, stages_of
from oms.flagging.definition import Definition, Metadata, Place, digest_of, shown
from oms.flagging.targeting import Reader

_MEMBERS = ("state", "variants", "defaultVariant", "targeting", "metadata")
_WRITE_ANEW = "mend it by hand, or write a good one with oms rollback {phase}"


def parse(content: bytes, *, file: str, phase: Phase) -> Definition:
    """Return the flag of *phase* that *content* defines.

    Args:
        file: The file's path, for messages.

    Raises:
        FlagFileInvalid: if it must not be served; the message says where in the file, what was found, what was wanted, and the mend.
    """
    try:
        return _define(content, Place(file), phase)
    except RecursionError as error:
        raise Place(file).invalid(found="rules nested too deep", wanted="a flag", mend=_mend(phase)) from error


def load_json(content: bytes) -> Any:
    """Return the JSON value in *content*, strictly: no NaN, no key twice.

    Raises:
        ValueError: if it is not JSON in UTF-8; the message says where.
        RecursionError: if it is nested too deep.
    """
    return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_without_doubles)


def _define(content: bytes, top: Place, phase: Phase) -> Definition:
    document = _document(content, top, phase)
    place = top.at("flags").at(phase.flag)
    flag = _only_flag(document, top, phase)
    _check_members(flag, place)
    enabled = _state(flag, place) == "ENABLED"
    variants = _variants(flag, place, phase)
    default = _default_variant(flag, place, variants)
    logic, metadata = _as_flagd_reads_it(document, top, phase)
    reach = frozenset({variants[default]})
    if logic is not None:
        reach |= _reach(logic, variants, default, place)
    _check_mix(reach, place, phase)
    return Definition(
        phase=phase,
        digest=digest_of(content),
        text=content.decode("utf-8-sig"),
        enabled=enabled,
        variants=variants,
        default_variant=default,
        logic=logic,
        reach=reach if enabled else frozenset({phase.default}),
        metadata=metadata,
    )


def _document(content: bytes, top: Place, phase: Phase) -> dict[str, Any]:
    if not content.strip():
        raise top.invalid(found="an empty file", wanted="a JSON object", mend=_mend(phase))
    try:
        document = load_json(content)
    except ValueError as error:
        raise top.invalid(found=f"no JSON ({_one_line(error)})", wanted="a JSON object", mend=_mend(phase)) from error
    if not isinstance(document, dict):
        raise top.invalid(found=shown(document), wanted="a JSON object", mend=_mend(phase))
    return document


def _only_flag(document: dict[str, Any], top: Place, phase: Phase) -> dict[str, Any]:
    flags, place = document.get("flags"), top.at("flags")
    wanted = f"one flag, {phase.flag}"
    if not isinstance(flags, dict) or phase.flag not in flags:
        found = f"no {phase.flag}" if isinstance(flags, dict) else "nothing" if flags is None else shown(flags)
        raise place.invalid(found=found, wanted=wanted, mend=_mend(phase))
    others = [name for name in flags if name != phase.flag]
    if others:
        raise place.invalid(
            found=f"{shown(others[0])} beside it",
            wanted=wanted,
            mend="each phase has a file of its own; move the others there",
        )
    flag = flags[phase.flag]
    if not isinstance(flag, dict):
        raise place.at(phase.flag).invalid(found=shown(flag), wanted="an object", mend=_mend(phase))
    return flag


def _check_members(flag: dict[str, Any], place: Place) -> None:
    for name in flag:
        if name not in _MEMBERS:
            near = difflib.get_close_matches(name, _MEMBERS, n=1)
            raise place.invalid(
                found=f"the member {shown(name)}",
                wanted=f"only {' '.join(_MEMBERS)}",
                mend=f"did you mean {near[0]}?" if near else "take it out; notes go under metadata",
            )


def _state(flag: dict[str, Any], place: Place) -> str:
    state = flag.get("state")
    if state not in ("ENABLED", "DISABLED"):
        raise place.at("state").invalid(
            found=shown(state), wanted="ENABLED or DISABLED", mend='write "state": "ENABLED"'
        )
    return str(state)


def _variants(flag: dict[str, Any], place: Place, phase: Phase) -> dict[str, Stage]:
    variants, at = flag.get("variants"), place.at("variants")
    known = [stage.value for stage in stages_of(writes=phase.writes)]
    if not isinstance(variants, dict) or not variants:
        raise at.invalid(
            found=shown(variants),
            wanted="an object of variants and their stages",
            mend=f"the stages are {' '.join(known)}",
        )
    for name, stage in variants.items():
        if not name:
            raise at.invalid(found="a variant without a name", wanted="a name", mend="name it like its stage")
        if stage not in known:
            near = difflib.get_close_matches(str(stage), known, n=1)
            raise at.at(name).invalid(
                found=shown(stage),
                wanted=f"a stage of this phase, {' '.join(known)}",
                mend=f"did you mean {near[0]}?" if near else "name one of these stages",
            )
    return {name: Stage(stage) for name, stage in variants.items()}


def _default_variant(flag: dict[str, Any], place: Place, variants: Mapping[str, Stage]) -> str:
    default = flag.get("defaultVariant")
    if not isinstance(default, str) or default not in variants:
        raise place.at("defaultVariant").invalid(
            found=shown(default),
            wanted=f"one of the variants {' '.join(variants)}",
            mend="name the least advanced stage that is in use",
        )
    return default


def _as_flagd_reads_it(
    document: dict[str, Any], top: Place, phase: Phase
) -> tuple[Mapping[str, object] | None, Metadata]:
    """Return the targeting with its evaluators filled in, and the metadata."""
    store = FlagStore()
    try:
        store.update(copy.deepcopy(document))
    except OpenFeatureError as error:
        reason = error.error_message or "no reason given"
        raise top.invalid(
            found=f"what flagd refuses ({_one_line(reason)})", wanted="a flagd file", mend=_mend(phase)
        ) from error
    except Exception as error:  # flagd's textual replacement of evaluators can fail in any way
        raise top.at("$evaluators").invalid(
            found="what flagd cannot fill in",
            wanted="evaluators of plain ASCII without backslashes",
            mend="write the rule out in targeting",
        ) from error
    flag = store.flags[phase.flag]
    logic: object = flag.targeting
    if logic is not None and not isinstance(logic, dict):
        place = top.at("flags").at(phase.flag).at("targeting")
        raise place.invalid(
            found=shown(logic), wanted="an object with one operator", mend="take targeting out for a static flag"
        )
    return logic or None, {**store.flag_set_metadata, **(flag.metadata or {})}


def _reach(logic: Mapping[str, object], variants: Mapping[str, Stage], default: str, place: Place) -> frozenset[Stage]:
    at = place.at("targeting")
    if len(logic) != 1:
        raise at.invalid(found=f"an object with {len(logic)} members", wanted="one operator", mend="join them with if")
    reach = Reader(variants).stages(logic, at)
    if "fractional" in logic and any(variants[default].rank > stage.rank for stage in reach):
        raise place.at("defaultVariant").invalid(
            found=f"{variants[default].value}, above a stage of the split",
            wanted="the least advanced stage of the split",
            mend="callers without a targeting key get it, whatever the weights say",
        )
    return reach


def _check_mix(reach: frozenset[Stage], place: Place, phase: Phase) -> None:
    if not is_legal_mix(reach, writes=phase.writes):
        raise place.invalid(
            found=f"a mix of {' '.join(stage for stage in Stage if stage in reach)}",
            wanted="stages within off..shadow, dualwrite..rampdown or live..complete",
            mend="callers at one of them would not see what others write; move one stage at a time",
        )


def _mend(phase: Phase) -> str:
    return _WRITE_ANEW.format(phase=phase.name)


def _one_line(reason: object) -> str:
    text = " ".join(str(reason).split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(next(name for name in names if names.count(name) > 1))} stands there twice")
    return members
