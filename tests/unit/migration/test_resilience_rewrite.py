"""What becomes of legacy retries in one file: before, after, and after again unchanged; and what is left, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.migration.resilience.rewriting import Options, Rewritten, rewrite
from oms.migration.resilience.terms import Unified
from oms.migration.scan.source import Source, always, parse_source
from oms.unified.resilience.policies import RETRIED_STATUS, RETRY_POLICIES

OPTIONS = Options(Unified(RETRY_POLICIES, RETRIED_STATUS))
STRATEGY = "from utils.retry_strategy import"
BACKOFF = "from middleware.common import retry_with_backoff\n"
NEW = "from oms.unified.resilience import with_retry\n"
POLICIES = "from oms.unified.resilience import RETRY_POLICIES, with_retry\n"
F = "async def f(): ...\n"


def run(text: str | bytes, options: Options = OPTIONS, *, file: str = "app/a.py", elsewhere: str = "") -> Rewritten:
    """Rewrite *text* as the content of *file*; *elsewhere* is what all other files say."""
    source = parse_source(Path(file), file, text.encode() if isinstance(text, str) else text, wanted=always)
    assert isinstance(source, Source)
    return rewrite(source, options, elsewhere=lambda word: word in elsewhere)


def reasons(rewritten: Rewritten) -> list[str]:
    """Return the reasons of what is left, in source order."""
    return [each.reason for each in rewritten.left]


DECORATORS = [
    ("@retry_with_backoff()", '@with_retry(policy="standard")'),
    ("@retry_with_backoff(3)", '@with_retry(policy="standard")'),
    ("@retry_with_backoff(max_attempts=3)", '@with_retry(policy="standard")'),
    ("@retry_with_backoff(max_attempts=3, base_delay=1.0)", '@with_retry(policy="standard")'),
    ("@retry_with_backoff(max_attempts=5)", '@with_retry(policy=RETRY_POLICIES["standard"].but(max_retries=4))'),
    ("@retry_with_backoff(base_delay=.5)", '@with_retry(policy=RETRY_POLICIES["standard"].but(initial_delay=.5))'),
    (
        "@retry_with_backoff(2, base_delay=30)",
        '@with_retry(policy=RETRY_POLICIES["standard"].but(max_retries=1, initial_delay=30, max_delay=60.0))',
    ),
]


@pytest.mark.parametrize(("before", "after"), DECORATORS)
def test_backoff(before: str, after: str) -> None:
    """The roadmap's decorator becomes the policy; what differs from legacy's own default is kept in numbers."""
    done = run(f"{BACKOFF}{before}\n{F}")
    imported = POLICIES if "RETRY_POLICIES" in after else NEW

    assert f"{imported}{after}\n{F}" == done.raw.decode()
    assert (1, []) == (len(done.moved), reasons(done))
    again = run(done.raw)
    assert (done.raw, [], ()) == (again.raw, reasons(again), again.moved)


CONFIGS = [
    ("", 'policy="standard"'),
    (", None", 'policy="standard"'),
    (", config=None, bulkhead_resource='terminusdb'", 'policy="standard"'),
    (", DB_READ_CONFIG", 'policy="standard"'),
    (", config=DB_WRITE_CONFIG", 'policy="database"'),
    (", config=DB_CRITICAL_CONFIG", 'policy="critical"'),
    (", RetryConfig.for_strategy(RetryStrategy.CONSERVATIVE)", 'policy="conservative"'),
    (", RetryConfig.for_strategy(strategy=RetryStrategy.AGGRESSIVE)", 'policy="database"'),
    (", RetryConfig()", 'policy="standard"'),
    (", RetryConfig(strategy=RetryStrategy.AGGRESSIVE)", 'policy="standard"'),
    (", RetryConfig(RetryStrategy.CUSTOM, 7)", 'policy=RETRY_POLICIES["standard"].but(max_retries=6)'),
    (", RetryConfig(exponential_base=1.5)", 'policy=RETRY_POLICIES["standard"].but(backoff_multiplier=1.5)'),
    (", RetryConfig(jitter=False)", 'policy=RETRY_POLICIES["standard"].but(jitter=False)'),
    (", RetryConfig(jitter_factor=0)", 'policy=RETRY_POLICIES["standard"].but(jitter=False)'),
    (", RetryConfig(circuit_breaker_threshold=9, retry_budget_percent=1)", 'policy="standard"'),
    (", RetryConfig(timeout=0, bulkhead_size=None)", 'policy="standard"'),
    (", RetryConfig(timeout=30.0)", 'policy="standard", attempt_timeout=30.0'),
    (", RetryConfig(retryable_exceptions={KeyError})", 'policy="standard", on=(KeyError,)'),
    (", RetryConfig(retryable_exceptions={A, b.C})", 'policy="standard", on=(A, b.C)'),
    (", RetryConfig(retryable_exceptions=set())", 'policy="standard"'),
    (", RetryConfig(non_retryable_exceptions=[OSError])", 'policy="standard", give_up_on=(OSError,)'),
    (
        ", RetryConfig(max_attempts=2, retryable_exceptions=(A,), timeout=3)",
        'policy=RETRY_POLICIES["standard"].but(max_retries=1), on=(A,), attempt_timeout=3',
    ),
]


@pytest.mark.parametrize(("config", "after"), CONFIGS)
def test_strategy(config: str, after: str) -> None:
    """The decorator of retry_strategy keeps what its configuration says and unified has; presets become policies."""
    names = [
        name
        for name in ("DB_CRITICAL_CONFIG", "DB_READ_CONFIG", "DB_WRITE_CONFIG", "RetryConfig", "RetryStrategy")
        if name in config
    ]
    done = run(f"{STRATEGY} {', '.join([*names, 'with_retry'])}\n@with_retry('q'{config})\n{F}")
    imported = POLICIES if "RETRY_POLICIES" in after else NEW

    assert f"{imported}@with_retry({after})\n{F}" == done.raw.decode()
    again = run(done.raw)
    assert (done.raw, [], ()) == (again.raw, reasons(again), again.moved)


@pytest.mark.parametrize(
    "module",
    ["shared.utils.retry_strategy", "oms.legacy.utils.retry_strategy", "..utils.retry_strategy", ".retry_strategy"],
)
def test_modules(module: str) -> None:
    """The module is known under any package, and relatively."""
    done = run(f"from {module} import with_retry\n@with_retry('q')\n{F}", file="pkg/utils/a.py")

    assert f'{NEW}@with_retry(policy="standard")\n{F}' == done.raw.decode()


def test_layout_is_kept() -> None:
    """Comments, blank lines, tabs and line ends stay; what spanned lines is one line, unless that is too long."""
    before = (
        b"# top\r\nimport os  # os\r\n" + STRATEGY.encode() + b" (\r\n\tRetryConfig,\r\n\twith_retry,\r\n)  # noqa\r\n\r\n\r\n"
        b"class A:\r\n\t# about\r\n\t@other  # first\r\n\t@with_retry(\r\n\t\t'a # b',\r\n\t)  # why\r\n\tasync def a(self): ...\r\n\r\n"
        b"\t@with_retry('q', RetryConfig(max_attempts=9, initial_delay=0.25, max_delay=7.5, retryable_exceptions={KeyError, OSError}))\r\n"
        b"\tasync def b(self): ...\r\n"
    )  # fmt: skip
    after = (
        b"# top\r\nimport os  # os\r\nfrom oms.unified.resilience import RETRY_POLICIES, with_retry  # noqa\r\n\r\n\r\n"
        b"class A:\r\n\t# about\r\n\t@other  # first\r\n\t@with_retry(policy=\"standard\")  # why\r\n\tasync def a(self): ...\r\n\r\n"
        b"\t@with_retry(\r\n\t    policy=RETRY_POLICIES[\"standard\"].but(max_retries=8, initial_delay=0.25, max_delay=7.5),\r\n"
        b"\t    on=(KeyError, OSError),\r\n\t)\r\n\tasync def b(self): ...\r\n"
    )  # fmt: skip

    assert after == run(before).raw


def test_encoding_is_kept() -> None:
    """A declared encoding and a byte order mark stay."""
    latin = b"# coding: latin-1\n# \xe9\n" + BACKOFF.encode() + b"@retry_with_backoff()\nasync def f(): return '\xe9'\n"
    marked = b"\xef\xbb\xbf" + BACKOFF.encode() + b"@retry_with_backoff()\n" + F.encode()

    assert (
        latin.replace(BACKOFF.encode(), NEW.encode()).replace(
            b"@retry_with_backoff()", b'@with_retry(policy="standard")'
        )
        == run(latin).raw
    )
    assert run(marked).raw.startswith(b"\xef\xbb\xbffrom oms")


CONSTANT = (
    f"{STRATEGY} RetryConfig, with_retry\nC = RetryConfig(max_attempts=5, retryable_exceptions={{A}}, timeout=2)\n"
    f"@with_retry('a', C)\n{F}@with_retry('b', config=C)\nasync def g(): ...\n"
)


def test_constant() -> None:
    """A configuration with a name of its own becomes a policy under that name."""
    done = run(CONSTANT)

    assert (
        f'{POLICIES}C = RETRY_POLICIES["standard"].but(max_retries=4, retry_on=(A,), attempt_timeout=2)\n'
        f"@with_retry(policy=C)\n{F}@with_retry(policy=C)\nasync def g(): ...\n"
    ) == done.raw.decode()
    assert ["C", "f", "g"] == [each.where for each in done.moved]
    assert [5, 5, 5] == [each.before.attempts for each in done.moved]


@pytest.mark.parametrize(
    ("more", "elsewhere", "expected"),
    [
        ("print(C)\n", "", ["config-shared"] * 3),
        ("C.max_attempts = 9\n", "", ["config-shared"] * 3),
        ("__all__ = ['C']\n", "", ["config-shared"] * 3),
        ("C = 1\n", "", ["dynamic-config"] * 3),
        ("", "from a import C", ["config-shared"] * 3),
        ("@with_retry('s', C)\ndef s(): ...\n", "", ["config-shared"] * 3 + ["sync-timeout"]),
    ],
)
def test_constant_that_stays(more: str, elsewhere: str, expected: list[str]) -> None:
    """A configuration that is used for anything else stays, and so does every function that takes it."""
    done = run(CONSTANT + more, elsewhere=elsewhere)

    assert not done.changed
    assert expected == reasons(done)


def test_part_of_an_import() -> None:
    """What stays of an import stays where it was, aliases too; the new one comes behind it, in the block that it is in."""
    done = run(
        f"def h():\n    {STRATEGY} with_retry, CircuitBreaker as B, CircuitState\n    @with_retry('q')\n    {F}    return B, CircuitState\n"
    )

    assert (
        f"def h():\n    {STRATEGY} CircuitBreaker as B, CircuitState\n    {NEW}"
        f'    @with_retry(policy="standard")\n    {F}    return B, CircuitState\n'
    ) == done.raw.decode()
    assert ["aliased", "no-counterpart"] == reasons(done)


def test_two_imports() -> None:
    """The second import goes when nothing of it is left, and no name is imported twice."""
    done = run(f"{STRATEGY} with_retry\n{BACKOFF}\n@with_retry('q')\n{F}@retry_with_backoff()\n{F}")

    assert f'{NEW}\n@with_retry(policy="standard")\n{F}@with_retry(policy="standard")\n{F}' == done.raw.decode()


def test_comment_of_an_import_that_goes() -> None:
    """The comment behind an import that goes has the line to itself."""
    done = run(f"{STRATEGY} with_retry\n{BACKOFF[:-1]}  # from a\n@with_retry('q')\n{F}@retry_with_backoff()\n{F}")

    assert f'{NEW}# from a\n@with_retry(policy="standard")\n{F}@with_retry(policy="standard")\n{F}' == done.raw.decode()


def test_half_migrated() -> None:
    """Where the new name is known already, it is not imported again."""
    done = run(f'{NEW}{BACKOFF}@with_retry(policy="standard")\n{F}@retry_with_backoff()\n{F}')

    assert f'{NEW}@with_retry(policy="standard")\n{F}@with_retry(policy="standard")\n{F}' == done.raw.decode()


def test_executor() -> None:
    """RetryExecutor and its awaited execute become UnifiedRetry and acall, in whatever it is kept."""
    before = (
        f"{STRATEGY} DB_WRITE_CONFIG, RetryExecutor\ne = RetryExecutor()\nclass S:\n    def __init__(self):\n"
        "        self.e = RetryExecutor(DB_WRITE_CONFIG)\n    async def go(self, f):\n        await e.execute(f)\n"
        "        return await self.e.execute(f, 1), await RetryExecutor(config=DB_WRITE_CONFIG).execute(f)\n"
    )
    after = (
        'from oms.unified.resilience import UnifiedRetry\ne = UnifiedRetry("standard")\nclass S:\n    def __init__(self):\n'
        '        self.e = UnifiedRetry("database")\n    async def go(self, f):\n        await e.acall(f)\n'
        '        return await self.e.acall(f, 1), await UnifiedRetry("database").acall(f)\n'
    )

    assert after == run(before).raw.decode()
    assert [None, 6] == [run(before).moved[0].before.attempts, run(before).moved[1].after.attempts]


def test_roadmap_import() -> None:
    """The roadmap's own example, an import and nothing else, becomes the roadmap's own new import."""
    assert POLICIES == run("from shared.utils.retry_strategy import RetryExecutor\n").raw.decode()


@pytest.mark.parametrize(
    "use",
    [
        "e = RetryExecutor()\ne.execute(f)",
        "e = RetryExecutor()\ng(e)",
        "e = RetryExecutor(1, 2)",
        "g(RetryExecutor())",
        "e: RetryExecutor",
        "class S:\n  def i(self): self.e = RetryExecutor()\n  def j(self): return self.e\n",
        "class S:\n  def i(self): self.e = RetryExecutor()\ns.e.execute(f)\n",
    ],
)
def test_executor_that_stays(use: str) -> None:
    """An executor of which anything else is wanted stays: nobody knows what it did."""
    done = run(f"{STRATEGY} RetryExecutor\n{use}\n")

    assert not done.changed
    assert set(reasons(done)) <= {"unknown-use", "dynamic-arguments"}


LEFT = [
    (f"{BACKOFF}@retry_with_backoff(max_attempts=N)\n{F}", ["dynamic-arguments"]),
    (f"{BACKOFF}@retry_with_backoff(*args)\n{F}", ["dynamic-arguments"]),
    (f"{BACKOFF}@retry_with_backoff(**options)\n{F}", ["dynamic-arguments"]),
    (f"{BACKOFF}@retry_with_backoff(attempts=3)\n{F}", ["dynamic-arguments"]),
    (f"{BACKOFF}@retry_with_backoff(max_attempts=0)\n{F}", ["no-attempt"]),
    (f"{BACKOFF}@retry_with_backoff(base_delay=-1)\n{F}", ["invalid-number"]),
    (f"{BACKOFF}@retry_with_backoff(max_attempts=2.5)\n{F}", ["invalid-number"]),
    (f"{BACKOFF}@retry_with_backoff\n{F}", ["odd-call"]),
    (f"{BACKOFF}@retry_with_backoff(max_attempts=1001)\n{F}", ["no-end"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(max_attempts=10**9))\n{F}", ["dynamic-arguments"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(max_attempts=1_000_000_000))\n{F}", ["no-end"]),
    (f"{BACKOFF}@retry_with_backoff()\nasync def f(): yield 1\n", ["generator"]),
    (f"{BACKOFF}@retry_with_backoff()\n@staticmethod\n{F}", ["odd-decorators"]),
    (f"{BACKOFF}@retry_with_backoff(  # three\n)\n{F}", ["odd-layout"]),
    (f"{BACKOFF}g = retry_with_backoff()(f)\n", ["not-a-decorator"]),
    (f"{BACKOFF}g(retry_with_backoff)\n", ["handed-on"]),
    (f"{BACKOFF}again = retry_with_backoff\n@again()\n{F}", ["handed-on", "aliased"]),
    ("from middleware.common import retry_with_backoff as r\n@r()\n" + F, ["aliased"]),
    ("from middleware.common import *\n@retry_with_backoff()\n" + F, ["star-import", "unknown-origin"]),
    ("import middleware.common as m\n@m.retry_with_backoff()\n" + F, ["through-module"]),
    (f"from utils import retry_strategy\n@retry_strategy.with_retry('q')\n{F}", ["through-module"]),
    (f"try:\n {BACKOFF}except ImportError:\n retry_with_backoff = None\n@retry_with_backoff()\n{F}", ["rebound-name"]),
    (BACKOFF, ["unused-import"]),
    (f"@retry_with_backoff()\n{F}", ["unknown-origin"]),
    (f"from mine import retry_with_backoff\n@retry_with_backoff()\n{F}", ["unknown-origin"]),
    (f"from shared.utils import with_retry\n@with_retry('q')\n{F}", ["hollow"]),
    (f"{BACKOFF}with_retry = 1\n@retry_with_backoff()\n{F}", ["name-taken"]),
    (f"from middleware.common import (  # why\n    retry_with_backoff)\n@retry_with_backoff()\n{F}", ["odd-layout"]),
    (f"{BACKOFF[:-1]}; x = 1\n{STRATEGY} with_retry\n@retry_with_backoff()\n{F}@with_retry('q')\n{F}", []),
    (f"{STRATEGY} with_retry\n{BACKOFF[:-1]}; x = 1\n@retry_with_backoff()\n{F}@with_retry('q')\n{F}", ["odd-layout"] * 2),
    (f"{STRATEGY} with_retry\n@with_retry(name())\n{F}", ["dynamic-arguments"]),
    (f"{STRATEGY} with_retry\n@with_retry()\n{F}", ["dynamic-arguments"]),
    (f"{STRATEGY} with_retry\n@with_retry('q', make())\n{F}", ["dynamic-config"]),
    (f"{STRATEGY} with_retry\nfrom c import C\n@with_retry('q', C)\n{F}", ["dynamic-config"]),
    (f"{STRATEGY} with_retry\n@with_retry('q', self.c)\n{F}", ["dynamic-config"]),
    (f"{STRATEGY} with_retry\n@with_retry('q')\n{F}with_retry('r')(f)\n", ["shared-name", "not-a-decorator"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(bulkhead_size=3))\n{F}", ["bulkhead"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(exponential_base=.5))\n{F}", ["invalid-number"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(max_attempts=None))\n{F}", ["invalid-number"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(retryable_exceptions=ALL))\n{F}", ["dynamic-arguments"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(retryable_exceptions={{KeyboardInterrupt}}))\n{F}", ["invalid-errors"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(retryable_exceptions={{Exception}}))\n{F}", ["broad-errors"]),
    (f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(timeout=1))\n@traced\n{F}", ["odd-decorators"]),
    (f"{STRATEGY} RetryConfig\nx = [RetryConfig()]\n", ["dynamic-config"]),
    (f"{STRATEGY} CircuitBreakerOpenError\ntry: ...\nexcept CircuitBreakerOpenError: ...\n", ["no-counterpart"]),
    ("import backoff\n@backoff.on_exception(backoff.expo, ValueError)\ndef f(): ...\n", ["library-retry"]),
    ("from tenacity import retry\n@retry\ndef f(): ...\n", ["library-retry"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LEFT)
def test_left(text: str, expected: list[str]) -> None:
    """What cannot be moved safely stays, byte for byte, and says why."""
    done = run(text)

    assert expected == reasons(done)
    assert bool(not expected) is done.changed


def test_own_definition() -> None:
    """A file that defines the decorator itself is no user of legacy's; the loop in it is one that was written by hand."""
    loop = "    while True:\n        try: return go()\n        except OSError: time.sleep(1)\n"
    done = run(f"def retry_with_backoff():\n{loop}@retry_with_backoff()\n{F}")

    assert (False, [], 1) == (done.changed, reasons(done), len(done.loops))


def test_plain_functions() -> None:
    """The roadmap's own example moves, a plain function; a time limit on one cannot be kept, and what is below it may be anything."""
    example = run(f"{BACKOFF}@retry_with_backoff(max_attempts=3)\ndef my_function():\n    pass\n")
    limited = run(f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(timeout=1))\ndef f(): ...\n")
    covered = run(f"{BACKOFF}@retry_with_backoff()\n@made_async\ndef f(): ...\n")

    assert f'{NEW}@with_retry(policy="standard")\ndef my_function():\n    pass\n' == example.raw.decode()
    assert "returned as it is" == example.moved[0].after.result
    assert ["sync-timeout"] == reasons(limited)
    assert ["", ""] == [covered.moved[0].before.result, covered.moved[0].after.result]


def test_suspect() -> None:
    """With suspect, what looks like a mistake moves too, one class for all; never what unified refuses."""
    options = Options(OPTIONS.unified, suspect=True)
    before = (
        f"{STRATEGY} RetryConfig, with_retry\n@with_retry('q', RetryConfig(retryable_exceptions={{Exception}}%s))\n{F}"
    )
    broad = run(before % "", options)

    assert f'{NEW}@with_retry(policy="standard", on=(Exception,))\n{F}' == broad.raw.decode()
    assert ["invalid-number"] == reasons(run(before % ", initial_delay=-1", options))
    assert ["odd-layout"] == reasons(run(before % ",  # every one\n", options))


def test_options() -> None:
    """Another target, a module of one's own, and tests, when they are asked for."""
    text = f"from mine.retries import retry_with_backoff\n@retry_with_backoff()\n{F}"
    options = Options(OPTIONS.unified, target="shared.resilience", more=("mine.retries",))

    assert (
        f'from shared.resilience import with_retry\n@with_retry(policy="standard")\n{F}'
        == run(text, options).raw.decode()
    )
    assert ["test-file"] == reasons(run(text, options, file="tests/a.py"))
    assert run(text, Options(OPTIONS.unified, more=("mine.retries",), include_tests=True), file="tests/a.py").changed


def test_cycle() -> None:
    """A file that the target imports is left."""
    source = parse_source(Path("a.py"), "a.py", f"{BACKOFF}@retry_with_backoff()\n{F}".encode(), wanted=always)
    assert isinstance(source, Source)

    assert ["import-cycle"] == reasons(rewrite(source, OPTIONS, elsewhere=lambda word: False, cycle=True))
