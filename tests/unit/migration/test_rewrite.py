"""Reads move, everything else stays: before, after, and after again unchanged."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.migration.rewrite.grid import UnifiedReference
from oms.migration.rewrite.proof import in_step
from oms.migration.rewrite.reasons import REASONS
from oms.migration.rewrite.rewriting import Options, Rewritten, rewrite
from oms.migration.scan.scanning import scan
from oms.migration.scan.source import Source, parse_source

LINE = "from oms.unified.config import unified_env\n"


def rewritten(raw: str | bytes, file: str = "a.py", **options: bool) -> Rewritten:
    """Return what becomes of a file of this content."""
    source = parse_source(Path(file), file, raw.encode() if isinstance(raw, str) else raw)
    assert isinstance(source, Source), source
    return rewrite(scan(source), Options(**options))


def moved(body: str, **options: bool) -> str:
    """Return *body*, which follows ``import os``, after the rewrite; a second one changes nothing."""
    once = rewritten(f"import os\n{body}\n", **options)
    assert not rewritten(once.raw, **options).changed
    return once.raw.decode().removeprefix("import os\n").removeprefix(LINE).removesuffix("\n")


def left(text: str, **options: bool) -> list[str]:
    """Return the reasons for which the accesses of *text* are left."""
    return [each.reason for each in rewritten(text, **options).left]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('url = os.getenv("URL")', 'url = unified_env.getenv("URL")'),
        ('os.getenv("URL", "http://x")', 'unified_env.getenv("URL", "http://x")'),
        ('os.getenv("URL", default="x")', 'unified_env.getenv("URL", default="x")'),
        ('os.environ.get("URL", "x")', 'unified_env.getenv("URL", "x")'),
        ('os.environ["T"]', 'unified_env.require("T")'),
        ("os.environ [ 'T' ]", "unified_env.require ( 'T' )"),
        ('os.environ[\n  "T"\n]', 'unified_env.require(\n  "T"\n)'),
        ("os.environ['T'  # why\n]", "unified_env.require('T'  # why\n)"),
        ('K = "T"\nos.getenv(K, "a")', 'K = "T"\nunified_env.getenv(K, "a")'),
        ('os.getenv("N", os.getenv("O", "d"))', 'unified_env.getenv("N", unified_env.getenv("O", "d"))'),
        ('os.getenv("R", cfg.region)', 'unified_env.getenv("R", cfg.region)'),
        ('int(os.getenv("W", "4")) * 1024', 'int(unified_env.getenv("W", "4")) * 1024'),
        ('int(os.getenv("W", 4))', 'int(unified_env.getenv("W", 4))'),
        ('int(os.environ["S"])', 'int(unified_env.require("S"))'),
        ('os.getenv("T", "false").lower() == "true"', 'unified_env.getenv("T", "false").lower() == "true"'),
        (
            'os.getenv("T","0").strip().lower() in ("1","yes")',
            'unified_env.getenv("T","0").strip().lower() in ("1","yes")',
        ),
        ('os.getenv("O", "*").split(",")', 'unified_env.getenv("O", "*").split(",")'),
        ('os.getenv("B") or "x"', 'unified_env.getenv("B") or "x"'),
        ('if "P" in os.environ: pass', 'if unified_env.contains("P"): pass'),
        ('x = not "P" not in os.environ', 'x = not not unified_env.contains("P")'),
        ('a = "P" not in os.environ and b', 'a = not unified_env.contains("P") and b'),
        ('bool(os.getenv("D"))', 'bool(unified_env.getenv("D"))'),
        ("f\"{os.getenv('A')}/x\"", "f\"{unified_env.getenv('A')}/x\""),
        ("os.getenv(  # why\n 'A',\n\n 'x'  # that\n)", "unified_env.getenv(  # why\n 'A',\n\n 'x'  # that\n)"),
        ("def f():\n\treturn os.getenv('A')  # é", "def f():\n\treturn unified_env.getenv('A')  # é"),
        ("x = [os.getenv('A') for _ in y]; z = 1", "x = [unified_env.getenv('A') for _ in y]; z = 1"),
    ],
)
def test_move(before: str, after: str) -> None:
    """A plain read moves with its default and everything around it."""

    assert after == moved(before)


def test_other_names() -> None:
    """Reads move under whatever name `os` and its members were imported."""
    text = "import os as _o\nfrom os import getenv as ge, environ\na = _o.getenv('A')\nb = ge('B')\nc = environ['C']\n"

    assert (
        "import os as _o\nfrom os import getenv as ge, environ\n" + LINE + "a = unified_env.getenv('A')\n"
        "b = unified_env.getenv('B')\nc = unified_env.require('C')\n"
    ) == rewritten(text).raw.decode()


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("import os\nfor n in x: os.getenv(n)", ["dynamic-key"]),
        ("import os\nos.getenv(f'S_{n}', '')", ["dynamic-key"]),
        ("import os\nos.environ['TZ'] = 'UTC'", ["write-item"]),
        ("import os\nos.environ.setdefault('TZ', 'UTC')", ["write-item"]),
        ("import os\nos.environ.pop('TZ')\ndel os.environ['X']", ["delete-item", "delete-item"]),
        ("import os\nrun(env={**os.environ, 'A': '1'})", ["snapshot"]),
        ("import os\nrun(env=os.environ)", ["alias-or-escape"]),
        ("import os\nenv = os.environ\nenv.get('Q')", ["alias-or-escape", "through-alias"]),
        ("import os\ndef f(e=os.environ): return e['Q']", ["alias-or-escape", "through-parameter"]),
        ("import os\nmap(os.getenv, keys)", ["getenv-as-value"]),
        ("import os\nfor k in os.environ: pass", ["iteration"]),
        ("import os\nos.environ.copy()", ["snapshot"]),
        ("from os import *\ngetenv('A')", ["star-import", "star-import"]),
        ("from os import environ", ["unused-import"]),
        ("__import__('os').environ['A']", ["dynamic-import"]),
        ("try:\n import os\nexcept ImportError:\n os = None\nos.getenv('A')", ["rebound-name"]),
        ("import os\nos.getenvb(b'A')", ["bytes-api"]),
        ("import os\nos.getenv(key='A')", ["odd-call"]),
        ("import os\nos.getenv('A', *rest)", ["odd-call"]),
        ("import os\nos.getenv('A', **rest)", ["odd-call"]),
        ("import os\nos.environ.__getitem__('A')", ["odd-call"]),
        ("import os\nos.environ[  # why\n'A']", ["odd-layout"]),
        ("import os\n(os.environ)['A']", ["odd-layout"]),
        ("import os\n('A') in os.environ", ["odd-layout"]),
        ("import os\nos.getenv('A', 8080)", ["non-string-default"]),
        ("import os\nbool(os.getenv('A', 'false'))", ["bool-of-text"]),
        ("import os\nos.getenv('A', 'x').lower() == 'TRUE'", ["unsatisfiable-compare"]),
        ("import os\nunified_env = 1\nos.getenv('A')", ["name-taken"]),
        ("import os\ndef f(unified_env): return os.getenv('A')", ["name-taken"]),
        ("import os, sys\nA = os.getenv('A')\nsys.path.insert(0, 'x')\nB = os.getenv('B')", ["import-order"]),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n a: int", ["settings-field"]),
    ],
)
def test_left(text: str, reasons: list[str]) -> None:
    """What cannot move is left with its reason."""

    assert reasons == left(text)
    assert set(reasons) <= set(REASONS)


@pytest.mark.parametrize("file", ["tests/a.py", "test_a.py", "x/a_test.py", "conftest.py"])
def test_tests_are_left(file: str) -> None:
    """Tests are left unless asked for."""
    text = "import os\nos.getenv('A')\n"

    assert ["test-file"] == [each.reason for each in rewritten(text, file).left]
    assert rewritten(text, file, include_tests=True).changed


def test_build_script_is_left() -> None:
    """setup.py runs before any package is there."""

    assert ["build-script"] == [each.reason for each in rewritten("import os\nos.getenv('A')\n", "setup.py").left]


def test_suspect() -> None:
    """What looks like a defect moves only when asked, and then as it is."""

    assert "unified_env.getenv('A', 8080)" == moved("os.getenv('A', 8080)", suspect=True)
    assert "os.getenv('A', 8080)" == moved("os.getenv('A', 8080)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import os\nos.getenv('A')\n", "import os\n@unified_env.getenv('A')\n"),
        (
            '"""Doc."""\n\nfrom __future__ import annotations\n\nimport os\n\nos.getenv("A")\n',
            '"""Doc."""\n\nfrom __future__ import annotations\n\nimport os\n@\nunified_env.getenv("A")\n',
        ),
        (
            "#!/bin/sh\n# coding: utf-8\n\ndef f():\n import os\n return os.getenv('A')\n",
            "#!/bin/sh\n# coding: utf-8\n\n@def f():\n import os\n return unified_env.getenv('A')\n",
        ),
        (
            "'''Doc.'''\n@deco\ndef f():\n import os\n return os.getenv('A')",
            "'''Doc.'''\n@@deco\ndef f():\n import os\n return unified_env.getenv('A')",
        ),
        ("import os; a = os.getenv('A')\n", "@import os; a = unified_env.getenv('A')\n"),
        (
            "import sys\nsys.path.insert(0, 'x')\nimport os\nos.getenv('A')\n",
            "import sys\nsys.path.insert(0, 'x')\n@import os\nunified_env.getenv('A')\n",
        ),
        (
            "from x import (\n a,\n b,\n)  # both\nimport os  # here\nos.getenv('A')\n",
            "from x import (\n a,\n b,\n)  # both\nimport os  # here\n@unified_env.getenv('A')\n",
        ),
        (
            "try:\n import os\nexcept ImportError: pass\nos.getenv('A')\n",
            "@try:\n import os\nexcept ImportError: pass\nunified_env.getenv('A')\n",
        ),
    ],
)
def test_import(text: str, expected: str) -> None:
    """The import stands after the first block of imports, after changes of the path, never before docstring or future."""

    assert expected.replace("@", LINE, 1) == rewritten(text).raw.decode()


def test_import_is_there() -> None:
    """An import that stands already is used; reads before it are left."""
    text = f"import os\na = os.getenv('A')\n{LINE}b = os.getenv('B')\n"
    once = rewritten(text)

    assert f"import os\na = os.getenv('A')\n{LINE}b = unified_env.getenv('B')\n" == once.raw.decode()
    assert ["import-order"] == [each.reason for each in once.left]


def test_docstring_on_the_line() -> None:
    """A file whose docstring shares its line with the imports is left: the new line would take the docstring's place."""

    assert ["not-provable"] == left('"""Doc."""; import os; os.getenv("A")\n')


def test_other_target() -> None:
    """The module of `unified_env` can be another one."""
    source = parse_source(Path("a.py"), "a.py", b"import os\nos.getenv('A')\n")
    assert isinstance(source, Source)
    text = rewrite(scan(source), Options(target="shared.config")).raw

    assert b"import os\nfrom shared.config import unified_env\nunified_env.getenv('A')\n" == text


ODD = {
    "crlf": b"import os\r\na = os.getenv('A')\r\n",
    "tabs": b"import os\nif 1:\n\ta = os.getenv('A')\n",
    "form feed": b"import os\n\x0c\na = 1\x0c; b = os.getenv('A')\n",
    "bom": b"\xef\xbb\xbfimport os\na = os.getenv('A')\n",
    "latin-1": b"# coding: latin-1\nimport os\na = '\xe9', os.getenv('A', '\xe9')\n",
    "cp1252": b"# coding: cp1252\nimport os\na = '\x80', os.getenv('A')\n",
    "euc-kr": "# coding: euc-kr\nimport os\na = '가', os.getenv('A')  # 나\n".encode("euc-kr"),
    "no line end": b"import os\na = os.getenv('A')",
    "mixed ends": b"import os\r\na = 1\nb = os.getenv('A')\r\n",
    "lone cr": b"import os\ra = os.getenv('A')\r",
    "u2028": "import os\nx = '\u2028'; a = os.getenv('A')\n".encode(),
    "backslash": b"import os\na = \\\n  os.getenv('A')\n",
    "wide": "import os\nx = '한국어 𝄞'; a = os.getenv('A')\n".encode(),
}


@pytest.mark.parametrize("name", ODD)
def test_other_bytes_are_kept(name: str) -> None:
    """Taking the new words out again gives every byte of the file as it was."""
    raw = ODD[name]
    once = rewritten(raw)
    end = b"\r\n" if b"\r\n" in raw else b"\r" if b"\r" in raw else b"\n"
    back = once.raw.replace(LINE.strip().encode() + end, b"").replace(b"unified_env", b"os")

    assert once.changed
    assert raw == back
    assert not rewritten(once.raw).changed


def test_encoding_without_way_back() -> None:
    """A file whose encoding has two spellings for one text is left."""
    raw = b"# coding: utf-7\nimport os\nx = '+AGE-'\nos.getenv('A')\n"

    assert ["encoding-not-round-trip"] == left_of(raw)


def left_of(raw: bytes) -> list[str]:
    """Return the reasons for which the accesses of a file of these bytes are left."""
    return [each.reason for each in rewritten(raw).left]


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ("import os\nx = U('A')\ny = 2", True),
        ("import os\nx = U('B')\ny = 2", False),
        ("import os\nx = U('A')\ny = 3", False),
        ("import os\nx = U('A')\ny = True + 1", False),
        ("import os\nx = U('A')", False),
        ("import os\nz = U('A')\ny = 2", False),
    ],
)
def test_proof(after: str, *, same: bool) -> None:
    """Any difference but the expected one is seen."""
    before = ast.parse("import os\nx = os.getenv('A')\ny = 2")
    node = next(each for each in ast.walk(before) if isinstance(each, ast.Call))
    expected = ast.parse("U('A')", mode="eval").body

    assert same is (in_step(before, ast.parse(after), {node: expected}) is not None)


READS = st.sampled_from(
    [
        "os.getenv({k})",
        "os.getenv({k}, {d})",
        "os.environ.get({k}, {d})",
        "os.environ[{k}]",
        "{k} in os.environ",
        "{k} not in os.environ",
    ]
)
AROUND = st.sampled_from(
    [
        "{r}",
        "int({r})",
        "({r} or 'x').lower() == 'true'",
        "[{r}, 1]",
        "f'<{{{r}}}>'",
        "not {r}",
        "(lambda: {r})()",
        "{r} if {r} else 0",
        "str({r}).split(',')",
    ]
)
KEYS = st.sampled_from(["'A'", '"B"', "KEY"])
DEFAULTS = st.sampled_from(["'d'", "None", "''", "os.getenv('C')", "''.join(['q', 'r'])"])
VALUES = st.sampled_from(["", "0", "true", " 7 ", "a,b"])


def outcome(text: str, os_module: object, values: dict[str, str]) -> object:
    """Run *text* as a module whose `os` and `unified_env` see *values*, and return what it has bound."""
    config = ModuleType("oms.unified.config")
    config.unified_env = UnifiedReference(values)
    names: dict[str, object] = {}
    saved = {name: sys.modules.get(name) for name in ("os", "oms.unified.config")}
    sys.modules.update({"os": os_module, "oms.unified.config": config})
    try:
        exec(compile(text, "a.py", "exec"), names)
        return {name: value for name, value in names.items() if name.startswith("x")}
    except Exception as error:
        return type(error), str(error)
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@given(
    st.lists(st.tuples(READS, AROUND, KEYS, DEFAULTS), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from("ABC"), VALUES),
)
def test_program_behaves_the_same(parts: list[tuple[str, str, str, str]], values: dict[str, str]) -> None:
    """A program run before and after, whole, binds the same values or fails in the same way."""
    lines = [
        f"x{n} = {around.format(r=read.format(k=key, d=default))}"
        for n, (read, around, key, default) in enumerate(parts)
    ]
    text = "import os\nKEY = 'C'\n" + "\n".join(lines) + "\n"
    try:
        compile(text, "a.py", "exec")
    except SyntaxError:
        return  # quotes of one kind inside an f-string, which Python 3.11 does not take
    once = rewritten(text)
    fake = SimpleNamespace(environ=values, getenv=values.get)

    assert [] == [each.reason for each in once.left if each.reason not in {"non-string-default", "bool-of-text"}]
    assert outcome(text, fake, values) == outcome(once.raw.decode(), fake, values)


def test_standard_library() -> None:
    """Files that nobody wrote for this tool: each compiles after the rewrite and a second one changes nothing."""
    folder = Path(os.__file__).parent
    changed = 0
    for name in (
        "asyncio/base_events.py",
        "webbrowser.py",
        "tempfile.py",
        "pydoc.py",
        "site.py",
        "shutil.py",
        "locale.py",
        "mailcap.py",
    ):
        path = folder / name
        if not path.exists():
            continue
        once = rewritten(path.read_bytes())
        compile(once.raw, name, "exec")
        changed += once.changed
        assert not rewritten(once.raw).changed

    assert changed >= 3
