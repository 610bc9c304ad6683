"""``oms migrate resilience`` as it is typed: exit codes, one JSON object, and the way back."""

from __future__ import annotations

import compileall
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from oms.cli.main import main
from oms.migration.resilience.reasons import INSTEAD, REASONS

FILES = {
    "core/action.py": '''\
"""Actions."""
import httpx
from shared.utils.retry_strategy import RetryConfig, RetryStrategy, with_retry

ACTION_RETRY_CONFIG = RetryConfig(strategy=RetryStrategy.CUSTOM, max_attempts=5, initial_delay=0.5, max_delay=30.0)


class ActionService:
    @with_retry("actions_service_execute", config=ACTION_RETRY_CONFIG, bulkhead_resource="actions_service")
    async def execute(self, name):  # sends it
        return await httpx.AsyncClient().post(name)
''',
    "api/router.py": """\
import asyncio


class RequestRouter:
    async def forward(self, client, retry_count):
        for attempt in range(retry_count):
            try:
                return await client.get("/")
            except OSError:
                if attempt < retry_count - 1:
                    await asyncio.sleep(2**attempt)
""",
    "jobs/example.py": """\
from middleware.common import retry_with_backoff


@retry_with_backoff(max_attempts=3)
async def my_function():
    pass


@retry_with_backoff(max_attempts=3)
def plain():
    pass
""",
    "jobs/broken.py": "def (\n",
    "jobs/none.py": "x = 1\n",
    "tests/test_example.py": "from middleware.common import retry_with_backoff\n@retry_with_backoff()\nasync def f(): ...\n",
}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small service, in the current folder."""
    for name, text in FILES.items():
        file = tmp_path / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "src"


def content(app: Path) -> dict[str, str]:
    """Return every file as it is now."""
    return {name: (app / name).read_text() for name in FILES}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run ``oms migrate resilience`` and return exit code, stdout and stderr."""
    code = main(["migrate", "resilience", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run it and return exit code and the one object on stdout."""
    code, out, _err = run(capsys, *words, "--json")
    return code, json.loads(out)


def test_dry_run(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --write nothing changes; each site is told with its terms before and after, in 100 columns."""
    code, out, err = run(capsys, "src")

    assert (0, "", FILES) == (code, err, content(app))
    assert [] == [line for line in out.splitlines() if len(line) > 100]
    assert (
        "change jobs/example.py:4:2 retry_with_backoff of my_function\n"
        '  becomes   with_retry(policy="standard")\n'
        "  attempts  before: 3\n"
        "            after:  4\n"
        "  waits     before: 1 2 s, up to 10 % more, 3 s in all\n"
        "            after:  1 2 4 s, 10 % more or less, never above 10 s, 7 s in all\n"
        "  errors    before: every Exception (RB-01)\n"
        "            after:  ConnectionError, TimeoutError, httpx transport errors, with subclasses; HTTP\n"
        "                    408, 429, 500, 502, 503, 504\n"
        "  guards    before: none\n"
    ) in out
    assert (
        "  result    before: awaited; what cannot be is a TypeError, and retried (RB-05)\n"
        "            after:  returned as it is\n"
        "  mind      more attempts than before: is it safe to repeat?\n"
        "  mind      a plain function: who awaits its calls must stop, and it waits in its thread\n"
    ) in out[out.index("change jobs/example.py:9:2 retry_with_backoff of plain\n") :]
    assert "by hand api/router.py:6:9 in RequestRouter.forward: attempts not told\n" in out
    assert "not analysed: jobs/broken.py: line 1: invalid syntax" in out
    assert "nothing was written: --write does it" in out


def test_json(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The object has every site with numbers, and what moves and what is left add up."""
    code, found = run_json(capsys, "src")

    assert (0, 1, 6, 5) == (code, found["schema"], found["files"], found["sites"])
    assert found["sites"] == len(found["rewritten"]) + len(found["left"])
    assert ["core/action.py", "jobs/example.py"] == found["changed"]
    rows = {each["where"]: each["behaviour"] for each in found["rewritten"]}
    assert {"ACTION_RETRY_CONFIG", "execute", "my_function", "plain"} == set(rows)
    assert [None, "returned as it is"] == [rows[name]["after"]["result"] for name in ("my_function", "plain")]
    assert (5, [0.5, 1.0, 2.0, 4.0]) == (rows["execute"]["before"]["attempts"], rows["execute"]["before"]["waits_s"])
    assert (4, [1.0, 2.0, 4.0]) == (rows["my_function"]["after"]["attempts"], rows["my_function"]["after"]["waits_s"])
    assert [("f", "test-file")] == [(each["where"], each["reason"]) for each in found["left"]]
    assert [("api/router.py", 6, None)] == [(each["file"], each["line"], each["attempts"]) for each in found["loops"]]
    assert ["jobs/broken.py"] == [each["file"] for each in found["unparsed"]]


def test_write(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --write the files change and compile; a second run changes nothing; the last line takes everything back."""
    code, found = run_json(capsys, "src", "--write", "--suspect", "--include-tests")

    assert (0, ["core/action.py", "jobs/example.py", "tests/test_example.py"]) == (code, found["written"])
    assert (app / "jobs/example.py").read_text() == FILES["jobs/example.py"].replace(
        "middleware.common import retry_with_backoff", "oms.unified.resilience import with_retry"
    ).replace("retry_with_backoff(max_attempts=3)", 'with_retry(policy="standard")')
    assert all(compileall.compile_file(app / name, quiet=2) for name in found["written"])
    again = run_json(capsys, "src", "--write", "--suspect", "--include-tests")[1]
    assert ([], [], 1) == (again["written"], again["left"], len(again["loops"]))
    subprocess.run(shlex.split(found["undo"]), check=True)
    assert FILES == content(app)


def test_check(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check is exit code 1 while something would change, and 0 afterwards; it writes nothing."""
    assert 1 == run(capsys, "src", "--check")[0]
    assert FILES == content(app)

    assert 0 == run(capsys, "src", "--write")[0]
    assert 0 == run(capsys, "src", "--check")[0]


def test_diff(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The diff is shown when asked for, of one file if one is named."""
    out = run(capsys, "src", "--file", "src/jobs/example.py", "--diff")[1]

    assert '-@retry_with_backoff(max_attempts=3)\n+@with_retry(policy="standard")\n' in out
    assert "core/action.py" not in out


def test_constant_used_by_another_file(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that another file of the folder speaks of stays, also when one file alone is looked at."""
    (app / "core/other.py").write_text("from core.action import ACTION_RETRY_CONFIG\n")
    for words in (["src"], ["src", "--file", "src/core/action.py"], ["src/core/action.py"]):
        found = run_json(capsys, *words)[1]

        assert ["config-shared"] * 2 == [each["reason"] for each in found["left"] if each["file"].endswith("action.py")]


def test_targets(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--to names where the new names come from, --from where legacy's come from."""
    (app / "jobs/none.py").write_text(
        "from mine import retry_with_backoff\n@retry_with_backoff()\nasync def f(): ...\n"
    )
    run(capsys, "src", "--write", "--to", "shared.resilience", "--from", "mine")

    assert (app / "jobs/none.py").read_text().startswith("from shared.resilience import with_retry\n@with_retry(")


def test_dirty(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a work tree that git could not bring back nothing is written, exit code 3, unless --allow-dirty."""
    subprocess.run(["git", "init", "--quiet", str(app)], check=True)
    code, _out, err = run(capsys, "src", "--write")

    assert (3, 1, FILES) == (code, err.count("\n"), content(app))
    assert (
        "found changes that git could not bring back (core/action.py, jobs/example.py), wanted a clean work tree" in err
    )
    assert 0 == run(capsys, "src", "--write", "--allow-dirty")[0]


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere"],
        ["src", "--to", "not a module"],
        ["src", "--from", "1x"],
        ["src", "--chek"],
        ["src", "--check", "--write"],
    ],
)
def test_bad_input(app: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """What cannot be meant is exit code 2 and one line: found, wanted; nothing is written."""
    code, out, err = run(capsys, *words)

    assert (2, "", 1, FILES) == (code, out, err.count("\n"), content(app))
    assert "found" in err
    assert "wanted" in err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has an example and fits 100 columns."""
    with pytest.raises(SystemExit):
        main(["migrate", "resilience", "--help"])
    printed = capsys.readouterr().out

    assert "oms migrate resilience src --write" in printed
    assert [] == [line for line in printed.splitlines() if len(line) > 100]


def test_reasons_are_told() -> None:
    """The migration page has each reason with its sentence, and each name to look at."""
    page = (Path(__file__).parents[3] / "docs" / "migration" / "resilience.md").read_text(encoding="utf-8")

    assert [] == [reason for reason, because in REASONS.items() if f"| `{reason}` | {because} |" not in page]
    assert [] == [name for name in INSTEAD if f"`{name}`" not in page]
