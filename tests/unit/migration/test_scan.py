"""Every spelling of an environment access is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.migration.scan.scanning import Access, scan
from oms.migration.scan.source import Source, Unparsed, parse_source


def accesses(text: str | bytes) -> list[Access]:
    """Return the accesses of *text* as a file."""
    source = parse_source(Path("a.py"), "a.py", text.encode() if isinstance(text, str) else text)
    assert isinstance(source, Source), source
    return list(scan(source).accesses)


def found(text: str) -> list[tuple[str, str | None]]:
    """Return idiom and variable of each access of *text*."""
    return [(access.idiom, access.variable) for access in accesses(text)]


@pytest.mark.parametrize(
    ("text", "idiom", "variable"),
    [
        ("import os\nos.getenv('A')", "os.getenv", "A"),
        ("import os\nos.getenv(key='A')", "os.getenv", "A"),
        ("import os as _o\n_o.getenv('A')", "os.getenv", "A"),
        ("import os.path\nos.getenv('A')", "os.getenv", "A"),
        ("from os import getenv as ge\nge('A')", "os.getenv", "A"),
        ("from os import environ\nenviron['A']", "os.environ[]", "A"),
        ("from os import environ as e\ne.get('A')", "os.environ.get", "A"),
        ("from os import *\nenviron['A']", "from os import *", None),
        ("def f():\n import os\n return os.environ['A']", "os.environ[]", "A"),
        ("import os\nclass C:\n def m(self): return os.environ['A']", "os.environ[]", "A"),
        ("import os\nos.environ['A'] = '1'", "os.environ[] =", "A"),
        ("import os\nos.environ['A'] += '1'", "os.environ[] +=", "A"),
        ("import os\ndel os.environ['A']", "del os.environ[]", "A"),
        ("import os\n'A' in os.environ", "in os.environ", "A"),
        ("import os\n'A' not in os.environ", "in os.environ", "A"),
        ("import os\nos.environ.setdefault('A', 'x')", "os.environ.setdefault", "A"),
        ("import os\nos.environ.pop('A', None)", "os.environ.pop", "A"),
        ("import os\nos.environ.update(A='1')", "os.environ.update", None),
        ("import os\nos.environ |= {}", "os.environ |=", None),
        ("import os\nos.environ.copy()", "os.environ.copy", None),
        ("import os\ndict(os.environ, A='1')", "os.environ (copied)", None),
        ("import os\nx = {**os.environ}", "os.environ (copied)", None),
        ("import os\nfor k in os.environ: pass", "os.environ (iterated)", None),
        ("import os\n[k for k in os.environ]", "os.environ (iterated)", None),
        ("import os\nsorted(os.environ)", "os.environ (iterated)", None),
        ("import os\nos.environ.items()", "os.environ.items", None),
        ("import os\nrun(env=os.environ)", "os.environ (passed on)", None),
        ("import os\nmap(os.getenv, names)", "os.getenv (as a value)", None),
        ("import os\nread = os.environ.get", "os.environ.get (as a value)", None),
        ("import os\nos.putenv('A', '1')", "os.putenv", "A"),
        ("import os\nos.unsetenv('A')", "os.unsetenv", "A"),
        ("import os\nos.environb[b'A']", "os.environb[]", "A"),
        ("import os\nos.getenvb(b'A')", "os.getenvb", "A"),
        ("import os\nos.getenv(name)", "os.getenv", None),
        ("import os\nos.getenv(f'SVC_{name}')", "os.getenv", None),
        ("import os\nKEY = 'A'\ndef f(): return os.getenv(KEY)", "os.getenv", "A"),
        ("import os\nKEY = 'A'\nKEY = 'B'\nos.getenv(KEY)", "os.getenv", None),
        ("import os\ndef f(key='A'): return os.getenv(key)", "os.getenv", None),
        ("__import__('os').environ['A']", "os.environ[]", "A"),
        ("import importlib\nimportlib.import_module('os').getenv('A')", "os.getenv", "A"),
        ("import os\ngetattr(os, 'environ')['A']", "os.environ[]", "A"),
        ("from os import environ", "from os import environ (not used here)", None),
        ("import os\nx = f\"{os.getenv('A')}\"", "os.getenv", "A"),
        ("import os\n(x := os.getenv('A'))", "os.getenv", "A"),
        ("import os\nasync def f(): return [os.getenv('A') async for _ in y()]", "os.getenv", "A"),
        ("import os\nmatch os.getenv('A'):\n case 'x': pass", "os.getenv", "A"),
        ("import os\n@deco(os.getenv('A'))\ndef f(os): pass", "os.getenv", "A"),
        ("import os\ndef f(os=os.getenv('A')): pass", "os.getenv", "A"),
        ("import os\n[1 for os in os.environ]", "os.environ (iterated)", None),
        ("class C:\n import os\n x = [k for k in os.environ]", "os.environ (iterated)", None),
        ("import os\ndef f():\n global os\n import os\ndef g(): return os.getenv('A')", "os.getenv", "A"),
    ],
)
def test_spelling(text: str, idiom: str, variable: str | None) -> None:
    """Each spelling is one access, named in terms of `os`."""

    assert (idiom, variable) == found(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "def f(environ): return environ.get('WSGI')",
        "def f(os): return os.environ['A']",
        "import os\ndef f():\n os = Fake()\n return os.getenv('A')",
        "import os\nclass C:\n os = 3\n x = os.getenv",
        "import os\n[os.getenv('A') for os in fakes]",
        "import os\nlambda os: os.getenv('A')",
        "class C:\n import os\n x = [os.getenv('A') for k in y]",
        "from .os import environ\nenviron['A']",
        "from mine import getenv\ngetenv('A')",
        "x = \"import os; os.getenv('A')\"",
        "import os\nos.path.join('environ')",
        "import os.path as os\nos.getenv('A')",
        "environ = {}\nenviron['A']",
        "import other as os\nos.environ['A']",
    ],
)
def test_not_an_access(text: str) -> None:
    """A name that does not mean `os` here, and code in a string, is no access."""

    assert [] == found(text)


def test_class_scope_is_skipped() -> None:
    """A class attribute does not hide the module's name from the methods."""
    text = "import os\nclass C:\n os = None\n def m(self): return os.getenv('A')"

    assert [("os.getenv", "A")] == found(text)


def test_uses_of_an_alias() -> None:
    """An assigned alias is one access, and each use of it another."""
    text = "import os\nenv = os.environ\nenv.get('Q')\ndef f(e=os.environ): return e['P']"

    assert [
        ("os.environ (passed on)", None),
        ("os.environ.get", "Q"),
        ("os.environ (passed on)", None),
        ("os.environ[]", "P"),
    ] == found(text)


def test_row() -> None:
    """A row says line, column in characters, default as source text, secret and write."""
    (read, write) = accesses("import os\né = os.getenv('JWT_SECRET',\n  'dev' + x)\nos.environ['A'] = '1'\n")

    assert ("a.py", 2, 5, "'dev' + x", True, False) == (
        read.file,
        read.line,
        read.column,
        read.default,
        read.secret,
        read.write,
    )
    assert (4, 1, None, False, True) == (write.line, write.column, write.default, write.secret, write.write)


@pytest.mark.parametrize(
    ("expression", "kind", "vocabulary"),
    [
        ("os.getenv('A')", "text", None),
        ("int(os.getenv('A', '1'))", "int", None),
        ("float(os.getenv('A') or 1)", "float", None),
        ("os.getenv('A', 'x').lower() == 'true'", "bool", "lower, == true"),
        ("os.getenv('A', 'x').strip().lower() in ('yes', '1')", "bool", "strip, lower, == 1|yes"),
        ("os.getenv('A') != 'false'", "bool", "!= false"),
        ("os.getenv('A') not in {'0', 'no'}", "bool", "!= 0|no"),
        ("'1' == os.getenv('A')", "bool", "== 1"),
        ("_truthy(os.getenv('A'))", "bool", "_truthy()"),
        ("os.getenv('A', '').split(',')", "list", None),
        ("json.loads(os.getenv('A', '{}'))", "json", None),
        ("os.getenv('A') == 'production'", "enum", None),
        ("Phase(os.getenv('A', 'a'))", "enum", None),
        ("not os.getenv('A')", "presence", None),
        ("os.getenv('A') is None", "presence", None),
    ],
)
def test_conversion(expression: str, kind: str, vocabulary: str | None) -> None:
    """What becomes of the text is told from the code around the read."""
    (access,) = accesses(f"import os\nx = {expression}\n")

    assert (kind, vocabulary) == (access.conversion.kind, access.conversion.vocabulary)


@pytest.mark.parametrize(
    ("expression", "satisfiable"),
    [
        ("os.getenv('A').lower() == 'TRUE'", False),
        ("os.getenv('A').upper() == 'TRUE'", True),
        ("os.getenv('A').strip() == 'a '", False),
        ("os.getenv('A') == 'TRUE'", True),
    ],
)
def test_unsatisfiable(expression: str, *, satisfiable: bool) -> None:
    """A comparison that no text can pass is seen."""
    (access,) = accesses(f"import os\nx = {expression}\n")

    assert satisfiable is access.conversion.satisfiable


@pytest.mark.parametrize("depth", [500, 3000])
def test_deep_nesting(depth: int) -> None:
    """A sum of many terms is either read without recursion or reported as not understood, never a traceback."""
    text = "import os\nx = os.getenv('A')" + " + ''" * depth
    source = parse_source(Path("a.py"), "a.py", text.encode())

    assert isinstance(source, Unparsed) or ["A"] == [access.variable for access in scan(source).accesses]


SETTINGS = """
from typing import ClassVar
import pydantic_settings
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

class App(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")
    kind: ClassVar[str] = "x"
    port: int = 8000
    url: str = Field(default="http://x", validation_alias="SHOP_ADDRESS")
    both: str = Field("d", validation_alias=AliasChoices("A", "B"))
    needed: str = Field(...)

class Child(App):
    extra: bool = False

class Old(pydantic_settings.BaseSettings):
    token: str
    class Config:
        env_prefix = "OLD_"

class Plain:
    port: int = 1
"""


def test_settings_fields() -> None:
    """Fields of settings classes are accesses, with prefix, aliases, inheritance within the file, and default."""
    rows = [(access.variable, access.default) for access in accesses(SETTINGS)]

    assert [
        ("SHOP_PORT", "8000"),
        ("SHOP_ADDRESS", '"http://x"'),
        ("A", '"d"'),
        ("B", '"d"'),
        ("SHOP_NEEDED", None),
        ("SHOP_EXTRA", "False"),
        ("OLD_TOKEN", None),
    ] == rows


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("JWT_SECRET", True),
        ("REDIS_PASSWORD", True),
        ("TERMINUSDB_KEY", True),
        ("PII_ENCRYPTION_KEY", True),
        ("SIEM_TOKEN", True),
        ("TERMINUSDB_ADMIN_PASS", True),
        ("TERMINUSDB_KEY_PATH", False),
        ("PASSWORD_MIN_LENGTH", False),
        ("JWT_ALGORITHM", False),
        ("PWD", False),
        ("KEYBOARD", False),
        (None, False),
    ],
)
def test_secret(variable: str | None, *, secret: bool) -> None:
    """A secret is told by its name, what only describes one is not."""
    from oms.migration.scan.secret_names import is_secret

    assert secret is is_secret(variable)
