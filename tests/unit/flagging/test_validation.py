"""What is refused as a flag file, with place, found, wanted and mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.errors import FlagFileInvalid
from oms.domain.stage import Stage
from oms.flagging.definition import Definition
from oms.flagging.validation import parse
from oms.seams import PHASES

FILE = "flags/cache.flagd.json"
FLAG = "flags.phase.cache"


def read(content: bytes, phase: str = "cache") -> Definition:
    return parse(content, file=FILE, phase=PHASES[phase])


def refusal(content: bytes, phase: str = "cache") -> FlagFileInvalid:
    with pytest.raises(FlagFileInvalid) as caught:
        read(content, phase)
    return caught.value


@pytest.mark.parametrize(
    ("content", "path", "found"),
    [
        (b"", "", "an empty file"),
        (b"  \n", "", "an empty file"),
        (b"{", "", "no JSON"),
        (b"\xff\xfe\x00", "", "no JSON"),
        (b'{"flags": {"a": 1, "a": 2}}', "", "'a' stands there twice"),
        (b'{"flags": NaN}', "", "NaN is not JSON"),
        (b"[]", "", "an empty list"),
        (b"null", "", "null"),
        (b"{}", "flags", "nothing"),
        (b'{"flags": []}', "flags", "an empty list"),
        (b'{"flags": {}}', "flags", "no phase.cache"),
        (b'{"flags": {"phase.config": {}}}', "flags", "no phase.cache"),
        (b'{"flags": {"phase.cache": 1}}', FLAG, "1"),
        (b'{"flags": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "", "nested too deep"),
    ],
)
def test_no_flag_file(content: bytes, path: str, found: str) -> None:
    """What is no flag file at all is refused with what it is."""
    error = refusal(content)

    assert path == error.path
    assert found in error.found


FRACTIONAL = f"{FLAG}.targeting.fractional"


@pytest.mark.parametrize(
    ("members", "path", "found"),
    [
        ({"state": "ENABLE"}, f"{FLAG}.state", "'ENABLE'"),
        ({"state": ...}, f"{FLAG}.state", "null"),
        ({"variants": {}}, f"{FLAG}.variants", "an empty object"),
        ({"variants": {"shadow": "shadw"}}, f"{FLAG}.variants.shadow", "'shadw'"),
        ({"variants": {"shadow": True}}, f"{FLAG}.variants.shadow", "true"),
        ({"variants": {"": "shadow"}}, f"{FLAG}.variants", "a variant without a name"),
        ({"defaultVariant": ...}, f"{FLAG}.defaultVariant", "null"),
        ({"defaultVariant": ""}, f"{FLAG}.defaultVariant", "''"),
        ({"defaultVariant": "shadw"}, f"{FLAG}.defaultVariant", "'shadw'"),
        ({"defaultVarient": "shadow"}, FLAG, "the member 'defaultVarient'"),
        ({"metadata": {"a": None}}, "", "what flagd refuses"),
        ({"targeting": "live"}, f"{FLAG}.targeting", "'live'"),
        ({"targeting": []}, f"{FLAG}.targeting", "an empty list"),
        ({"targeting": {"if": [], "or": []}}, f"{FLAG}.targeting", "an object with 2 members"),
        ({"targeting": {"iff": [True, "live"]}}, f"{FLAG}.targeting.iff", "the operator 'iff'"),
        ({"targeting": {"log": "live"}}, f"{FLAG}.targeting.log", "the operator 'log'"),
        ({"targeting": {"$ref": "beta"}}, f"{FLAG}.targeting.$ref", "the operator '$ref'"),
        ({"targeting": {"if": [{"iff": 1}, "live"]}}, f"{FLAG}.targeting.if[0].iff", "the operator 'iff'"),
        ({"targeting": {"if": [True, "lively"]}}, f"{FLAG}.targeting.if[1]", "'lively'"),
        ({"targeting": {"==": [1, 1]}}, f"{FLAG}.targeting.==", "a rule that can answer true"),
        ({"targeting": {"and": [{"!": [1]}, "live"]}}, f"{FLAG}.targeting.and[0].!", "a rule that can answer false"),
        ({"targeting": {"if": [True, ["live"]]}}, f"{FLAG}.targeting.if[1]", "['live']"),
        ({"targeting": {"fractional": []}}, FRACTIONAL, "weights that sum to 0"),
        ({"targeting": {"fractional": [["live", 0]]}}, FRACTIONAL, "weights that sum to 0"),
        ({"targeting": {"fractional": [["live", 2**31]]}}, FRACTIONAL, "weights that sum to 2147483648"),
        ({"targeting": {"fractional": [["live", 5.0], ["shadow", 95]]}}, f"{FRACTIONAL}[0][1]", "5.0"),
        ({"targeting": {"fractional": [["live", True], ["shadow", 95]]}}, f"{FRACTIONAL}[0][1]", "true"),
        ({"targeting": {"fractional": [["live", -1], ["shadow", 95]]}}, f"{FRACTIONAL}[0][1]", "-1"),
        ({"targeting": {"fractional": [["live", "5"], ["shadow", 95]]}}, f"{FRACTIONAL}[0][1]", "'5'"),
        ({"targeting": {"fractional": [["live", {"+": [1]}], ["shadow", 95]]}}, f"{FRACTIONAL}[0][1]", "an object"),
        ({"targeting": {"fractional": [["live", 1, 2]]}}, f"{FRACTIONAL}[0]", "a list"),
        ({"targeting": {"fractional": [["live", 1], "shadow"]}}, f"{FRACTIONAL}[1]", "'shadow'"),
        ({"targeting": {"fractional": [["lively", 1], ["shadow", 1]]}}, f"{FRACTIONAL}[0][0]", "'lively'"),
        ({"targeting": {"fractional": [["shadow", 95], ["live", 5]]}}, f"{FRACTIONAL}[1]", "live after shadow"),
        ({"targeting": {"fractional": [["live", 5], ["off", 95]]}, "defaultVariant": "off"}, FLAG, "a mix of off live"),
        ({"targeting": {"fractional": [["live", 5], ["shadow", 95]]}, "defaultVariant": "live"}, f"{FLAG}.defaultVariant", "live, above"),
        ({"targeting": {"if": [{"var": "beta"}, "complete"]}}, FLAG, "a mix of shadow complete"),
        ({"targeting": {"var": "stage"}}, FLAG, "a mix of off dualwrite shadow live rampdown complete"),
    ],
)  # fmt: skip
def test_what_flagd_would_serve(flag: Callable[..., bytes], members: dict[str, Any], path: str, found: str) -> None:
    """What would strand callers is refused with its place in the file, what was found there, and a mend, on one line."""
    error = refusal(flag(**members))

    assert path == error.path
    assert found in error.found
    assert error.wanted
    assert error.mend
    assert str(error).startswith(f"{FILE}: {path or '(file)'}: found ")
    assert "\n" not in str(error)


def test_nearest_word(flag: Callable[..., bytes]) -> None:
    """A slip of the pen is answered with the word that was meant."""
    assert "did you mean shadow?" == refusal(flag(variants={"shadow": "shadw"})).mend
    assert "did you mean fractional?" == refusal(flag(targeting={"fractionl": []})).mend


def test_other_flags_in_the_file(flag: Callable[..., bytes]) -> None:
    """A file holds the flag of its phase and no other."""
    document = json.loads(flag())
    document["flags"]["phase.config"] = document["flags"]["phase.cache"]

    assert "'phase.config' beside it" == refusal(json.dumps(document).encode()).found


@pytest.mark.parametrize("stage", ["dualwrite", "rampdown"])
def test_stages_of_writing(flag: Callable[..., bytes], stage: str) -> None:
    """A phase without writes has neither dualwrite nor rampdown."""
    assert repr(stage) == refusal(flag(phase="config", variants={stage: stage}, defaultVariant=stage), "config").found


def test_mix_without_writes(flag: Callable[..., bytes]) -> None:
    """Where nothing is written, callers at any two stages may stand side by side."""
    variants = {stage: stage for stage in ("off", "shadow", "live", "complete")}
    content = flag(
        phase="config",
        variants=variants,
        defaultVariant="off",
        targeting={"fractional": [["complete", 1], ["off", 99]]},
    )

    assert {Stage.COMPLETE, Stage.OFF} == read(content, "config").reach


@pytest.mark.parametrize(
    ("targeting", "reach"),
    [
        (None, "shadow"),
        ({}, "shadow"),
        ({"fractional": [["live", 5], ["shadow", 95]]}, "live shadow"),
        ({"fractional": [["live", 0], ["shadow", 95]]}, "shadow"),
        ({"fractional": [["live"], ["shadow"]]}, "live shadow"),
        ({"fractional": [{"var": "tenant"}, ["live", 5], ["shadow", 95]]}, "live shadow"),
        ({"fractional": [[{"if": [{"var": "x"}, "rampdown", "live"]}, 5], ["shadow", 95]]}, "live rampdown shadow"),
        ({"if": [{"==": [{"var": "tenant"}, "complete"]}, "live", "shadow"]}, "live shadow"),
        ({"if": [{"var": "a"}, "live", {"var": "b"}, "dualwrite"]}, "live dualwrite shadow"),
        ({"if": [{"fractional": [["yes", 1], [None, 9]]}, "live"]}, "live shadow"),
        ({"if": ["live"]}, "live shadow"),
        ({"if": []}, "shadow"),
        ({"?:": [{"sem_ver": [{"var": "v"}, ">=", "1.2"]}, "live", "shadow"]}, "live shadow"),
        ({"or": ["live", "complete"]}, "live shadow"),
        ({"or": [None, "live"]}, "live shadow"),
        ({"and": ["complete", "live"]}, "live shadow"),
        ({"and": [None, "live"]}, "shadow"),
        ({"or": []}, "shadow"),
    ],
)
def test_reach_of_a_rule(flag: Callable[..., bytes], targeting: object, reach: str) -> None:
    """Every stage a rule can end at is found without evaluating it, the default variant's too."""
    assert set(map(Stage, reach.split())) == read(flag(targeting=targeting)).reach


def test_value_from_the_context_reaches_everything(flag: Callable[..., bytes]) -> None:
    """A rule that takes its answer from the context can reach every variant there is."""
    content = flag(variants={"a": "live", "b": "rampdown", "shadow": "shadow"}, targeting={"var": "stage"})

    assert {Stage.LIVE, Stage.RAMPDOWN, Stage.SHADOW} == read(content).reach


def test_evaluators_are_filled_in(flag: Callable[..., bytes]) -> None:
    """A named evaluator is judged where it is used."""
    beta = {"if": [{"var": "beta"}, "live"]}
    content = flag(targeting={"$ref": "beta"}, top={"$evaluators": {"beta": beta}})

    assert {Stage.LIVE, Stage.SHADOW} == read(content).reach
    assert beta == read(content).logic


def test_evaluators_that_flagd_cannot_fill_in(flag: Callable[..., bytes]) -> None:
    """flagd replaces evaluators by text and fails on a backslash."""
    content = flag(targeting={"$ref": "beta"}, top={"$evaluators": {"beta": {"if": [{"var": "\\d"}, "live"]}}})

    assert "$evaluators" == refusal(content).path


def test_disabled_is_the_declared_default(flag: Callable[..., bytes]) -> None:
    """A disabled flag puts everybody at the declared default of the phase, whatever else it says."""
    definition = read(flag(state="DISABLED", targeting={"fractional": [["live", 5], ["shadow", 95]]}))

    assert {Stage.OFF} == definition.reach
    assert Stage.OFF == definition.default


def test_byte_order_mark(flag: Callable[..., bytes]) -> None:
    """A file that an editor gave a byte order mark is read like any other."""
    assert {Stage.SHADOW} == read(b"\xef\xbb\xbf" + flag()).reach
