"""``oms pin``: from a divergence in the journal to a test that is red, and green once the side is mended."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from oms.domain.divergence import Divergence
from oms.domain.record import Batch
from oms.domain.stage import Stage
from oms.journal import Journal, JournalReader
from oms.routing import Runtime
from oms.seams.cache import CACHE, DOCUMENTS, TYPES, AsyncCache, Cache
from oms.seams.config import CONFIG, SETTINGS
from oms.seams.known import load_known
from oms.testing import fixed_stage
from tests.architecture.sources import ROOT
from tests.sides.patience import AMPLE, patient
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import Place, until
from tests.unit.cli.planted import run_pytest, write_planted

SECRET = "sk-live-4711-planted"

PLANTED = '''
"""Two caches; what each makes of a value that was stored is planted."""

from oms.testing import Sides


class Side:
    def __init__(self, change):
        self.values, self.change = {}, change

    def get(self, key):
        return self.change(self.values[key]) if key in self.values else None

    def set(self, key, value, *, ttl=None):
        self.values[key] = value

    def delete(self, key):
        return self.values.pop(key, None) is not None

    def clear(self):
        self.values.clear()

    forget = delete

    async def aget(self, key):
        return self.get(key)

    async def aset(self, key, value, *, ttl=None):
        self.set(key, value, ttl=ttl)

    async def adelete(self, key):
        return self.delete(key)

    async def aclear(self):
        self.clear()

    async def aforget(self, key):
        self.delete(key)


def as_it_is(value):
    return value


def make_sides(seam):
    return Sides(legacy=Side(LEGACY), unified=Side(UNIFIED))
'''

Plant = Callable[..., Any]


def plant(folder: Path, *, legacy: str = "as_it_is", unified: str = "as_it_is") -> Any:
    """Plant two caches and return the module."""
    return write_planted(folder, f"{PLANTED}\n\nLEGACY = {legacy}\nUNIFIED = {unified}\n")


def shadow(place: Place, planted: Any, call: Callable[[Cache], object]) -> str:
    """Make *call* in a real runtime in shadow over the planted sides, with a journal; return the one fingerprint it has then."""
    runtime = Runtime(rules=load_known("cache"), limits=AMPLE)
    sides = planted.make_sides(TYPES)
    runtime.bind(patient(TYPES), legacy=sides.legacy, unified=sides.unified)
    runtime.publish(fixed_stage(Stage.SHADOW, CACHE))
    journal = Journal(place.var / "journal.db", runtime.drain)
    journal.start()
    call(runtime.facade(TYPES))
    runtime.stop(10)
    journal.stop(10)
    return only_fingerprint(place)


def only_fingerprint(place: Place) -> str:
    """Return the fingerprint of the only divergence in the journal."""
    with JournalReader(place.var / "journal.db") as reader:
        (group,) = reader.divergences()
    return group.fingerprint


def set_and_get(value: object) -> Callable[[Cache], None]:
    """Return a call that stores *value* and reads it."""

    def call(cache: Cache) -> None:
        cache.set(f"user:{SECRET}", value, ttl=60)
        with contextlib.suppress(LookupError):
            cache.get(f"user:{SECRET}")

    return call


TO_TUPLE = "lambda value: {**value, 'properties': tuple(value['properties'])}"


def test_red_until_mended(oms: Oms, place: Place, folder: Path) -> None:
    """A planted divergence is pinned as a test that is valid, clean, red for the right reason, without values; mended it is green."""
    planted = plant(folder, unified=TO_TUPLE)
    fingerprint = shadow(place, planted, set_and_get({"properties": [SECRET, "b"], SECRET.replace("-", ""): SECRET}))

    done = oms("pin", fingerprint[:6], "--out", str(folder))
    path = folder / f"test_pinned_{fingerprint}.py"
    source = path.read_text()
    red = run_pytest(path)
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(path)], check=False
    )
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--config", str(ROOT / "pyproject.toml"), str(path)],
        check=False,
    )
    plant(folder)
    green = run_pytest(path)

    assert (0, "") == (done.code, done.err)
    assert f"{path}: written; it is red, for unified has to change: pytest {path}" == done.out.splitlines()[0]
    assert SECRET not in source + done.out
    assert SECRET.replace("-", "") not in source + done.out
    assert "FILL IN" in source
    assert 'value = shaped("properties", [1] * 2)' in source
    assert "ttl = 60" in source
    assert (1, 0, 0) == (red.returncode, ruff.returncode, formatted.returncode)
    assert "unified has to change: type at properties, list from legacy, tuple from unified" in red.stdout
    assert (0, "1 passed") == (green.returncode, green.stdout.splitlines()[-1][:8])


@pytest.mark.parametrize(
    ("legacy", "unified", "value", "mend"),
    [
        ("as_it_is", "lambda value: None", {"a": 1}, "unified"),
        ("lambda value: [].pop()", "as_it_is", {"a": 1}, "legacy"),
        ("as_it_is", "lambda value: [].pop()", [1], "unified"),
        ("lambda value: [].pop()", "lambda value: {}['a']", [1], "unified"),
        ("lambda value: {'a': {}}", "as_it_is", {"a": {"b": 1.5}}, "legacy"),
        ("as_it_is", "lambda value: {'a': {}}", {"a": {"b": b"1"}}, "unified"),
        ("as_it_is", "lambda value: value[:-1]", (1, 2, 3), "unified"),
        ("as_it_is", "lambda value: {str(key): one for key, one in value.items()}", {1: "a"}, "unified"),
    ],
    ids=["unified_miss", "legacy_raises", "unified_raises", "both_raise", "extra", "missing", "length", "key"],
)
def test_kinds(oms: Oms, place: Place, folder: Path, *, legacy: str, unified: str, value: object, mend: str) -> None:
    """Each kind of difference is red against the side that has to change."""
    fingerprint = shadow(place, plant(folder, legacy=legacy, unified=unified), set_and_get(value))
    done = oms("pin", fingerprint, "--out", str(folder), "--json")
    plant(folder)
    green = run_pytest(folder / f"test_pinned_{fingerprint}.py")

    assert (0, mend) == (done.code, done.json["mend"]), done
    assert 0 == green.returncode, green.stdout


def test_a_miss_that_is_right(oms: Oms, place: Place, folder: Path) -> None:
    """Where a rule says that the side with nothing is right, what the other one has is stored: nothing would be read of nothing."""
    planted = plant(folder, unified="lambda value: None")
    fingerprint = shadow(place, planted, lambda cache: (cache.set("k", {"a": 1}, ttl=0), cache.get("k")))
    done = oms("pin", fingerprint, "--out", str(folder), "--json")
    path = folder / f"test_pinned_{fingerprint}.py"
    plant(folder, legacy="lambda value: None", unified="lambda value: None")

    assert (0, "legacy") == (done.code, done.json["mend"]), done
    assert "The rule TC-01 accepts it" in path.read_text()
    assert 0 == run_pytest(path).returncode


@pytest.mark.parametrize(
    ("unified", "value"),
    [
        ("str.lower", "Jane Doe"),
        ("str.strip", " padded"),
        ("lambda value: round(value, 2)", 3.14159),
        ("lambda value: int(float(value))", 2**60 + 1),
        ("lambda value: {**value, 'name': value['name'].upper()}", {"name": "straße"}),
        ("lambda value: value.replace(microsecond=0)", dt.datetime(2025, 7, 2, 12, 0, 0, 5)),
        ("lambda value: value.normalize() + 0 if value == 0 else value.quantize(1)", Decimal("2.50")),
    ],
)
def test_two_values_of_one_type(oms: Oms, place: Place, folder: Path, unified: str, value: object) -> None:
    """What changes a value and not its type is found by stand-ins that code treats differently; mended it is green."""
    fingerprint = shadow(place, plant(folder, unified=unified), set_and_get(value))
    done = oms("pin", fingerprint, "--out", str(folder))
    path = folder / f"test_pinned_{fingerprint}.py"
    source = path.read_text()
    plant(folder)

    assert 0 == done.code, done.out
    assert "in alike(key, value):" in source
    assert repr(value) not in source
    assert 0 == run_pytest(path).returncode


def test_green_is_told(oms: Oms, place: Place, folder: Path) -> None:
    """Where the stand-ins do not show the difference the command says so, exit code 1, and the places to fill in are marked."""
    planted = plant(folder, unified="lambda value: 'other' if value == 'the one value' else value")
    fingerprint = shadow(place, planted, set_and_get("the one value"))
    done = oms("pin", fingerprint, "--out", str(folder))
    path = folder / f"test_pinned_{fingerprint}.py"
    filled_in = path.read_text().replace('value = "x" * 13', 'value = "the one value"')
    path.write_text(filled_in)

    assert (1, 2) == (done.code, len(done.out.splitlines()))
    assert "it is green" in done.out
    assert "2 places to fill in" in done.out
    assert 1 == run_pytest(path).returncode


def test_async_port(oms: Oms, place: Place, folder: Path) -> None:
    """A divergence of an async port is driven to its end."""
    import asyncio

    planted = plant(folder, unified=TO_TUPLE)
    runtime = Runtime(limits=AMPLE)
    sides = planted.make_sides(DOCUMENTS)
    runtime.bind(patient(DOCUMENTS), legacy=sides.legacy, unified=sides.unified)
    runtime.publish(fixed_stage(Stage.SHADOW, CACHE))
    journal = Journal(place.var / "journal.db", runtime.drain)
    journal.start()

    def mismatches() -> int:
        return sum(tally.count for tally in runtime.totals() if tally.name == "mismatched")

    async def use(cache: AsyncCache) -> None:
        await cache.aset("k", {"tags": [1]})
        await cache.aget("k")
        while not mismatches():
            await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(use(runtime.facade(DOCUMENTS)), 60))
    runtime.stop(10)
    journal.stop(10)

    assert 0 == oms("pin", only_fingerprint(place), "--out", str(folder)).code


def test_config_where_the_repository_begins(
    oms: Oms, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict of the monolith's configuration is pinned with its names, against the real sides, in the contract of its phase."""
    from oms.legacy_adapters.config import legacy_settings
    from oms.unified.config import UnifiedEnv, UnifiedSettings, standard_groups
    from tests.sides.config import empty

    empty(monkeypatch)
    runtime = Runtime(rules=load_known("config"), limits=AMPLE)
    runtime.bind(patient(SETTINGS), legacy=legacy_settings(), unified=UnifiedSettings(UnifiedEnv(standard_groups)))
    runtime.publish(fixed_stage(Stage.SHADOW, CONFIG))
    journal = Journal(place.var / "journal.db", runtime.drain)
    journal.start()
    runtime.facade(SETTINGS).read("IAM_TIMEOUT", "core/integrations/iam_service_client_with_fallback.py")
    runtime.stop(10)
    journal.stop(10)
    fingerprint = only_fingerprint(place)
    contract = tmp_path / "tests" / "contract" / "config"
    shutil.copytree(
        ROOT / "tests" / "contract" / "config", contract, ignore=shutil.ignore_patterns("test_*", "__pycache__")
    )
    (tmp_path / "conftest.py").write_text(
        f'import sys\n\nsys.path.insert(0, {str(ROOT / "tests")!r})\npytest_plugins = ["oms.testing.plugin"]\n'
    )
    monkeypatch.chdir(tmp_path)
    done = oms("pin", fingerprint)
    source = (contract / f"test_pinned_{fingerprint}.py").read_text()

    assert (0, "legacy has to change") == (done.code, done.out.partition("for ")[2][:20])
    assert 'name = "IAM_TIMEOUT"' in source
    assert "CF-06" in source


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ffff"], 2, "FINGERPRINT: found 'ffff', wanted one that the journal holds; oms report lists them"),
        (["abcdef012344"], 2, "did you mean abcdef012345?"),
        (["abcd"], 2, "found 'abcd', with which 2 begin (abcdef012345, abcdef999999), wanted more of it"),
        (["abc"], 2, "wanted 4 digits of it at least"),
        (["abcdef012345"], 3, "found no sample with the arguments of its call"),
        (["abcdef9"], 3, "found key of type Odd, for which nothing can stand"),
        (["0000"], 3, "found cache.gone.get, wanted a seam of oms.seams"),
        (["1111"], 3, "found cache.types.peek, which its port does not have any more"),
    ],
)
def test_refusals(oms: Oms, place: Place, folder: Path, *, words: list[str], code: int, said: str) -> None:
    """What cannot be pinned is one line, and nothing is written."""
    call = {"call": {"key": {"type": "Odd"}}, "legacy": {"type": "int"}, "unified": {"type": "str"}}
    fill(
        place,
        stored("abcdef012345", sample={"path": ""}),
        stored("abcdef999999", sample=call),
        stored("000000000000", seam="gone"),
        stored("111111111111", operation="peek"),
    )
    done = oms("pin", *words, "--out", str(folder))

    assert (code, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert said in done.err
    assert [] == list(folder.glob("test_*"))


def test_existing_file(oms: Oms, place: Place, folder: Path) -> None:
    """A test that was pinned before is not written over: exit code 3."""
    planted = plant(folder, unified=TO_TUPLE)
    fingerprint = shadow(place, planted, set_and_get({"tags": []}))
    path = folder / f"test_pinned_{fingerprint}.py"
    path.write_text("# somebody's work\n")
    done = oms("pin", fingerprint, "--out", str(folder))

    assert (3, 1) == (done.code, len(done.err.splitlines()))
    assert "it is pinned already" in done.err
    assert "# somebody's work\n" == path.read_text()


def test_folder_that_is_a_file(oms: Oms, place: Place, tmp_path: Path) -> None:
    """A file where the folder is wanted is no pinned test: exit code 4."""
    fill(place, stored("abcdef012345", sample={"call": {}, "legacy": {"type": "int"}, "unified": {"type": "str"}}))
    (tmp_path / "file").write_text("")
    done = oms("pin", "abcdef012345", "--out", str(tmp_path / "file"))

    assert (4, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert "wanted a folder for the test" in done.err


def test_newest_version_is_pinned(oms: Oms, place: Place, folder: Path) -> None:
    """Of several versions with one fingerprint the one that was seen last is pinned."""
    call = {"call": {"key": {"type": "str", "length": 1}}, "legacy": {"type": "int"}, "unified": {"type": "str"}}
    old = [stored("abcdef012345", version="old", seen_at=time.time() - 60, sample=call)] * 3
    new = stored("abcdef012345", version="new", sample={"path": ""})
    fill(place, *old, new)

    assert "found no sample with the arguments of its call" in oms("pin", "abcdef012345", "--out", str(folder)).err


def test_outside_the_repository(oms: Oms, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder of contracts, and without --out, nothing is written: exit code 2 and where to go."""
    fill(place, stored("abcdef012345", sample={"call": {}, "legacy": {"type": "int"}, "unified": {"type": "str"}}))
    monkeypatch.chdir(tmp_path)
    done = oms("pin", "abcdef012345")

    assert 2 == done.code
    assert "run it where the repository begins, or name one with --out" in done.err


def test_no_journal(oms: Oms) -> None:
    """Without a journal there is nothing to pin: exit code 4."""
    assert 4 == oms("pin", "abcdef012345").code


def stored(fingerprint: str, **other: Any) -> Divergence:
    """Build a divergence as a journal holds it."""
    fields: dict[str, Any] = {
        "fingerprint": fingerprint, "phase": "cache", "seam": "types", "operation": "get", "stage": "shadow", "kind": "value", "path": "",
        "types": ("int", "str"), "known": None, "seen_at": time.time(), "sample": {},
    }  # fmt: skip
    return Divergence(**{**fields, **other})


def fill(place: Place, *divergences: Divergence) -> None:
    """Put *divergences* into the journal."""
    batches = [Batch(divergences=list(divergences))]
    journal = Journal(place.var / "journal.db", lambda: batches.pop() if batches else Batch())
    journal.start()
    until(lambda: not batches)
    journal.stop(10)
