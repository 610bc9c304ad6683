"""The proof that a file is the same program: what it accepts, and every kind of difference it does not."""

from __future__ import annotations

import ast

import pytest

from oms.migration.rewrite.proof import compiled, in_step


def step(before: str, after: str, *, call: str | None = None, first: str | None = None) -> bool:
    """Tell whether both texts are in step; *call* stands for the last call of *before*, *first* for its first statement."""
    tree = ast.parse(before)
    expected: dict[ast.AST, ast.AST | list[ast.stmt]] = {}
    if call is not None:
        (node,) = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
        expected[node] = ast.parse(call, mode="eval").body
    if first is not None:
        expected[tree.body[0]] = ast.parse(first).body
    return in_step(tree, ast.parse(after), expected) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x  =  1  # comment"),
        ("x = f(1)\ny = 2", "x = f(1); y = 2"),
    ],
)
def test_same(before: str, after: str) -> None:
    """Layout and comments do not count."""
    assert step(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = y", "x = z"),
        ("x = y + z", "x = y - z"),
        ("x = [y]", "x = (y,)"),
        ("x = 1", "x = 1\ny = 2"),
        ("def f(): pass", "async def f(): pass"),
        ("x = f(y)", "x = f(*y)"),
        ("x: int = 1", "x: int"),
    ],
)
def test_different(before: str, after: str) -> None:
    """Whatever else differs is seen, in both directions."""
    assert not step(before, after)
    assert not step(after, before)


def test_expected() -> None:
    """A node is compared by what must stand in its place, and by nothing less."""
    assert step("x = f(1)", "x = g(2, y)", call="g(2, y)")
    assert not step("x = f(1)", "x = g(2, z)", call="g(2, y)")
    assert not step("x = f(1)", "x = f(1)", call="g(2, y)")


@pytest.mark.parametrize("first", ["import b", "import b\nimport c", ""])
def test_expected_statements(first: str) -> None:
    """A statement can become another one, several, or none."""
    assert step("import a\nx = 1", f"{first}\nx = 1", first=first)
    assert not step("import a\nx = 1", f"{first}\nimport d\nx = 1", first=first)
    assert not step("import a\nx = 1", f"{first}\nx = 2", first=first)


@pytest.mark.parametrize("text", ["x = (", "return", "from __future__ import nothing", "\0"])
def test_compiled(text: str) -> None:
    """What parses but does not compile is refused, too."""
    assert compiled(text, "a.py") is None
    assert compiled("x = 1", "a.py") is not None
