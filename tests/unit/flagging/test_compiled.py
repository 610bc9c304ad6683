"""Compiled rules answer as flagd-core does, on every key and in every odd context."""

from __future__ import annotations

import datetime as dt
import enum
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext as FlagdContext

from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging import bucketing
from oms.flagging.bucketing import Bucketing, cut_points, text_head
from oms.flagging.compilation import decision_of
from oms.flagging.compiled import Attributes, Node
from oms.flagging.decision import FlagDecision, SplitDecision
from oms.flagging.definition import digest_of
from oms.flagging.files import FlagFiles
from oms.flagging.validation import parse
from oms.seams import PHASES

CONTEXTS = 100_000
SPLIT = {"fractional": [["live", 500], ["shadow", 9500]]}
COHORT = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}

COMPILED: list[object] = [
    None,
    SPLIT,
    {"fractional": [["live"], ["live", 0], ["shadow", 3]]},
    {"fractional": [["live", 1], ["shadow", 2**31 - 2]]},
    {"fractional": [COHORT, ["live", 333], ["shadow", 667]]},
    {"fractional": [{"var": "tenant"}, ["live", 1], ["shadow", 1]]},
    {"fractional": [{"var": ["tenant", "nobody"]}, ["live", 1], ["shadow", 1]]},
    {
        "if": [
            {"==": [{"var": "tenant"}, "ant"]},
            "live",
            {"in": [{"var": "tenant"}, ["bee", 1, None]]},
            "rampdown",
            SPLIT,
        ]
    },
    {"if": [{"and": [{"!": [{"var": "tenant"}]}, {"!=": [{"var": "region.name"}, "north"]}]}, "live", "shadow"]},
    {"if": [{"or": [{"starts_with": [{"var": "tenant"}, "a"]}, {"ends_with": [{"var": "tenant"}, "e"]}]}, "live"]},
    {
        "if": [
            {"in": ["a", {"var": "tenant"}]},
            "live",
            {"var": "region.0"},
            "rampdown",
            {"var": "tenant.length"},
            None,
            "shadow",
        ]
    },
    {"if": [{"<": [{"var": "tenant"}, 5]}, "live", {">=": [1, {"var": "region"}, 0.5]}, "rampdown"]},
    {
        "if": [
            {"!!": [{"var": ["tenant", {"var": "region"}]}]},
            {"if": [{"===": [{"var": "tenant"}, True]}, "live"]},
            "shadow",
        ]
    },
    {"if": [{"==": [{"%": [{"var": "tenant"}, 2]}, 0]}, "live", "shadow"]},
    {
        "if": [
            {"==": [{"var": "tenant"}, {"var": "region"}]},
            "live",
            {"==": [{"merge": [{"var": "tenant"}, 1]}, "1"]},
            "rampdown",
        ]
    },
    {"var": "tenant"},
    {"and": ["live", "shadow"]},
]
"""Every kind of rule that is compiled."""

INTERPRETED: list[object] = [
    {"if": [{"missing": ["tenant"]}, "live", "shadow"]},
    {"if": [{">": [{"var": "$flagd.timestamp"}, 0]}, "live", "shadow"]},
    {"if": [{"some": [{"var": "region"}, {"==": [{"var": ""}, 1]}]}, "live", "shadow"]},
    {"fractional": [[{"if": [{"var": "tenant"}, "live"]}, 1], ["shadow", 1]]},
    {"if": [{"var": 1}, "live", "shadow"]},
    {"if": [{"var": ["a", "b", "c"]}, "live", "shadow"]},
]
"""Rules that are left to flagd-core."""


class Tenant(enum.StrEnum):
    ANT = "ant"


class Text(str):
    __slots__ = ()


def odd_values(chance: random.Random) -> list[Any]:
    """Texts of every length that matters to the hash, and one of everything else that somebody may put into a context."""
    texts = [
        "".join(chance.choices("abeé漢😀\x00 .0", k=chance.choice([1, 2, 5, 23, 24, 60, 300]))) for _ in range(100)
    ]
    plain = [
        "ant",
        "bee",
        "a",
        "live",
        "1",
        "",
        None,
        True,
        False,
        0,
        1,
        -1,
        2.0,
        1.5,
        math.nan,
        math.inf,
        1e300,
        2**70,
    ]
    nested = [
        [],
        [1],
        ["ant", 1],
        ["true"],
        {},
        {"name": "north"},
        {"name": None, "0": 1},
        (1, 2),
        {1, 2},
        {"a": [texts[0]]},
    ]
    rare = [b"ant", Tenant.ANT, Text("ant"), "\ud800x", dt.datetime(2024, 2, 29, tzinfo=dt.UTC), dt.date(2024, 2, 29)]
    return texts + (plain + nested + rare) * 3


def odd_contexts(count: int, *, seed: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield a targeting key and attributes, *count* times."""
    chance = random.Random(seed)
    values = odd_values(chance)
    names = ("tenant", "region", "targetingKey", "$flagd", "tenant.length")
    for _ in range(count):
        key = f"user-{chance.randrange(10**9)}" if chance.random() < 0.6 else chance.choice(values)
        yield key, {name: chance.choice(values) for name in names if chance.random() < 0.5}


def outcome(resolve: Callable[..., Any], *given: Any) -> object:
    """Return value, variant and reason, or the class of what was raised."""
    try:
        found = resolve(*given)
    except Exception as error:
        return type(error)
    return found.value, found.variant, found.reason


def decision_for(content: bytes) -> FlagDecision:
    return decision_of(parse(content, file="x", phase=PHASES["cache"]))


def core_of(content: bytes) -> FlagdCore:
    core = FlagdCore()
    core.set_flags(content.decode())
    return core


def any_variant(flag: Callable[..., bytes], targeting: object) -> bytes:
    variants = {
        "live": "live",
        "rampdown": "rampdown",
        "shadow": "shadow",
        "ant": "live",
        "true": "live",
        "1": "rampdown",
    }
    return flag(variants=variants, targeting=... if targeting is None else targeting)


@pytest.mark.usefixtures("quiet_flagd")
def test_no_difference_from_flagd_core(flag: Callable[..., bytes]) -> None:
    """On 100,000 random keys and contexts, odd types included, value, variant and reason are flagd-core's; and so is what is raised."""
    contents = [any_variant(flag, targeting) for targeting in COMPILED]
    pairs = [(decision_for(content), core_of(content)) for content in contents]
    seen: set[object] = set()
    for number, (key, attributes) in enumerate(odd_contexts(CONTEXTS, seed=20240229)):
        decision, core = pairs[number % len(pairs)]
        by_core = outcome(core.resolve_string_value, "phase.cache", "?", FlagdContext(key, attributes))

        assert by_core == outcome(decision.resolve, key, attributes), (decision.definition.logic, key, attributes)
        seen.add(by_core)

    assert {"compiled", "static"} == {decision.evaluator for decision, _ in pairs}
    assert len(seen) > 8


@pytest.mark.usefixtures("quiet_flagd")
@pytest.mark.parametrize("targeting", COMPILED + INTERPRETED)
def test_stage_is_what_flagd_resolves(flag: Callable[..., bytes], targeting: object) -> None:
    """A decision is the stage of flagd's variant, and the default's stage where flagd fails; it never raises."""
    content = any_variant(flag, targeting)
    decision, core = decision_for(content), core_of(content)
    for key, attributes in odd_contexts(500, seed=1):
        found = outcome(core.resolve_string_value, "phase.cache", "?", FlagdContext(key, attributes))
        stage = Stage(str(found[0])) if isinstance(found, tuple) else Stage.SHADOW

        assert (stage if stage in decision.stages else Stage.SHADOW) == decision.decide(
            EvaluationContext(key, attributes), "types", "get"
        )


def test_list_in_place_of_a_bucketing_value(flag: Callable[..., bytes]) -> None:
    """flagd takes such a list for a share of its own; routing stays within the stages that the file was judged by."""
    content = any_variant(flag, {"fractional": [{"var": "tenant"}, ["live", 1], ["shadow", 1]]})
    attributes = {"tenant": ["rampdown", 2**30]}

    assert "rampdown" == core_of(content).resolve_string_value("phase.cache", "?", FlagdContext("k", attributes)).value
    assert Stage.SHADOW == decision_for(content).decide(EvaluationContext("k", attributes), "types", "get")


@pytest.mark.parametrize("targeting", INTERPRETED)
def test_what_is_not_compiled(flag: Callable[..., bytes], targeting: object) -> None:
    """What the compiler does not know is evaluated by flagd-core, and that is no mismatch."""
    decision = decision_for(any_variant(flag, targeting))

    assert "flagd-core" == decision.evaluator
    assert not decision.mismatched


@pytest.mark.usefixtures("quiet_flagd")
def test_disabled_flag(flag: Callable[..., bytes]) -> None:
    """A disabled flag resolves to the caller's default in OpenFeature and to the declared default in routing."""
    content = flag(state="DISABLED", targeting=SPLIT)
    decision = decision_for(content)
    found = decision.resolve("k", {})

    assert (None, None, "DISABLED") == (found.value, found.variant, found.reason)
    assert "DISABLED" == core_of(content).resolve_string_value("phase.cache", "?", FlagdContext("k")).reason
    assert Stage.OFF == decision.decide(EvaluationContext("k"), "types", "get")
    assert Split.whole(Stage.OFF) == decision.split


def test_wrong_compiler_is_found_out(flag: Callable[..., bytes]) -> None:
    """A closure that disagrees with flagd-core on the self-check is not served; flagd-core is, and the flag says so."""

    def wrong(logic: object, name: str) -> Node:
        def everybody_live(key: Any, attributes: Attributes) -> Any:
            return "live"

        return everybody_live

    definition = parse(
        flag(targeting={"if": [{"==": [{"var": "tenant"}, "ant"]}, "live"]}), file="x", phase=PHASES["cache"]
    )
    decision = decision_of(definition, compiler=wrong)

    assert decision.mismatched
    assert "flagd-core" == decision.evaluator
    assert Stage.SHADOW == decision.decide(EvaluationContext("k", {"tenant": "bee"}), "types", "get")
    assert Stage.LIVE == decision.decide(EvaluationContext("k", {"tenant": "ant"}), "types", "get")


def test_seam_and_operation_are_attributes(flag: Callable[..., bytes]) -> None:
    """A rule may ask which seam and which operation is called, whatever the caller's attributes say."""
    decision = decision_for(
        flag(
            targeting={
                "if": [{"==": [{"var": "operation"}, "get"]}, "live", {"==": [{"var": "seam"}, "x"]}, "rampdown"]
            }
        )
    )
    context = EvaluationContext("k", {"operation": "get", "seam": "x"})

    assert decision.by_operation
    assert Stage.LIVE == decision.decide(context, "types", "get")
    assert Stage.SHADOW == decision.decide(context, "types", "set")
    assert Stage.RAMPDOWN == decision.decide(context, "x", "set")


@pytest.mark.parametrize(
    ("targeting", "by_operation"),
    [
        (SPLIT, False),
        ({"if": [{"var": "tenant"}, "live"]}, False),
        ({"if": [{"var": "seam"}, "live"]}, True),
        ({"if": [{"var": "operation.length"}, "live"]}, True),
        ({"if": [{"missing": ["seam"]}, "live"]}, True),
        ({"if": [{"missing_some": [1, ["a", "seam"]]}, "live"]}, True),
        ({"if": [{"var": {"cat": ["se", "am"]}}, "live"]}, True),
        ({"if": [{"in": [1, {"var": ""}]}, "live"]}, True),
    ],
)
def test_by_operation(flag: Callable[..., bytes], targeting: object, by_operation: bool) -> None:
    """Only a rule that can see the seam or the operation makes one scope hold several decisions; unsure means it can."""
    assert by_operation == decision_for(flag(targeting=targeting)).by_operation


@pytest.mark.parametrize(
    ("targeting", "split"),
    [
        (..., Split.whole(Stage.SHADOW)),
        (SPLIT, Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))),
        ({"fractional": [["live", 1], ["shadow", 19]]}, Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))),
        ({"fractional": [["live", 1], ["shadow", 2]]}, Split(((Stage.LIVE, 3333), (Stage.SHADOW, 6667)))),
        ({"fractional": [["live", 1], ["shadow", 10**6]]}, Split(((Stage.LIVE, 1), (Stage.SHADOW, 9999)))),
        ({"fractional": [["live", 0], ["shadow", 1]]}, Split.whole(Stage.SHADOW)),
        ({"fractional": [["live", 1], ["live"], ["shadow", 2]]}, Split(((Stage.LIVE, 5000), (Stage.SHADOW, 5000)))),
        ({"fractional": [{"var": "tenant"}, ["live", 1], ["shadow", 1]]}, None),
        ({"if": [True, "live"]}, None),
    ],
)
def test_split_of_a_flag(flag: Callable[..., bytes], targeting: object, split: Split | None) -> None:
    """Weights are told where everybody is sorted by them, scaled to 10,000; else there are none to tell."""
    assert split == decision_for(flag(targeting=targeting)).split


def test_split_is_one_hash(files: FlagFiles) -> None:
    """What oms writes as a canary is served by the short way."""
    content = files.render("cache", Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500))))

    assert isinstance(files.state_of("cache", content).decision, SplitDecision)
    assert digest_of(content) == files.state_of("cache", content).digest


def test_share_of_a_canary(files: FlagFiles) -> None:
    """Five per cent are five per cent of many keys: within four standard deviations."""
    decision = files.state_of("cache", files.render("cache", Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500))))).decision
    live = sum(
        decision.decide(EvaluationContext(f"tenant-{number}"), "types", "get") is Stage.LIVE for number in range(20_000)
    )

    assert abs(live - 1000) < 4 * math.sqrt(20_000 * 0.05 * 0.95)


def test_cut_points() -> None:
    """A share ends at the first hash that flagd no longer puts into it."""
    for weights in ([1, 1], [500, 9500], [1, 2, 4], [0, 1], [1, 2**31 - 2]):
        total, end = sum(weights), 0
        for weight, cut in zip(weights, cut_points(weights), strict=True):
            end += weight
            assert cut == 0 or (cut - 1) * total >> 32 < end
            assert cut == 2**32 or cut * total >> 32 >= end


def test_hash_on_a_cut_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash at which a share ends belongs to the next one, and so does everything up to its own end."""
    halves = Bucketing([1, 1], flag=None)
    shares = []
    for hashed in (0, 2**31 - 1, 2**31, 2**32 - 1):
        monkeypatch.setattr(bucketing, "_hash", lambda data, seed, signed, hashed=hashed: hashed)
        shares.append(halves.share("k"))

    assert [0, 0, 1, 1] == shares


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535, 65_536])
def test_head_of_a_text(size: int) -> None:
    """The head of a text is CBOR's, whatever its length."""
    cbor2 = pytest.importorskip("cbor2")

    assert cbor2.dumps("x" * size) == text_head(size) + b"x" * size


def test_key_with_lone_surrogates() -> None:
    """A key that cannot be encoded cannot be hashed either; a decision then is the default's."""
    with pytest.raises(UnicodeEncodeError):
        Bucketing([1, 1], flag="phase.cache").share("\ud800")
