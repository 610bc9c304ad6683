"""Fields of pydantic settings classes: they read the environment without saying so."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from oms.migration.scan.scope_map import ScopeMap
from oms.migration.scan.scopes import Import, Scope
from oms.migration.scan.site import Form, Site

IDIOM = "BaseSettings field"
_HOMES = frozenset({"pydantic", "pydantic_settings", "pydantic.v1", "pydantic.env_settings", "pydantic_settings.main"})
_NOT_FIELDS = frozenset({"model_config", "Config"})


def settings_fields(scopes: ScopeMap) -> Iterator[Site]:
    """Yield the fields of each class that derives from `BaseSettings`, directly or through a class of the same file.

    Not seen: a base class that is imported from another file of the code base.
    """
    known: dict[str, str] = {}  # name of a settings class: its prefix
    for node, scope in sorted(scopes.classes, key=lambda item: item[0].lineno):
        bases = [base for base in node.bases if _is_settings(base, scope, known)]
        if bases:
            inherited = next((known[base.id] for base in bases if isinstance(base, ast.Name) and base.id in known), "")
            own = _prefix(node)
            known[node.name] = inherited if own is None else own
            yield from _fields(node, known[node.name])


def _is_settings(base: ast.expr, scope: Scope, known: dict[str, str]) -> bool:
    if isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Name) and base.id in known:
        return True
    name = _root(base)
    found = scope.find(name)
    imports = [each for each in found[1] if isinstance(each, Import)] if found else []
    rest = ast.unparse(base).removeprefix(name)
    dotted = {f"{each.dotted}{rest}" for each in imports}
    return bool(dotted & {f"{home}.BaseSettings" for home in _HOMES})


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _prefix(node: ast.ClassDef) -> str | None:
    """Return ``env_prefix`` of ``model_config`` or of ``class Config``, None if the class states none."""
    for each in node.body:
        if isinstance(each, (ast.Assign, ast.AnnAssign)) and isinstance(each.value, (ast.Call, ast.Dict)):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(isinstance(target, ast.Name) and target.id == "model_config" for target in targets):
                return _literal(_options(each.value).get("env_prefix"))
        if isinstance(each, ast.ClassDef) and each.name == "Config":
            for line in each.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "env_prefix":
                    return _literal(line.value)
    return None


def _fields(node: ast.ClassDef, prefix: str) -> Iterator[Site]:
    for each in node.body:
        if not (isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)):
            continue
        name = each.target.id
        if name in _NOT_FIELDS or name.startswith("_") or "ClassVar" in ast.unparse(each.annotation):
            continue
        options = _options(each.value) if isinstance(each.value, ast.Call) and _root(each.value.func) else {}
        default = options.get("default", options.get("")) if options or _is_field(each.value) else each.value
        default = None if isinstance(default, ast.Constant) and default.value is ... else default
        for variable in _aliases(options) or [f"{prefix}{name}".upper()]:
            yield Site(each, IDIOM, Form.FIELD, variable=variable, default=default)


def _is_field(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "Field"


def _options(value: ast.expr | None) -> dict[str, ast.expr]:
    """Return the keywords of a call or the items of a dictionary; the first positional argument stands under the empty name."""
    if isinstance(value, ast.Call):
        return {
            **({"": value.args[0]} if value.args else {}),
            **{each.arg: each.value for each in value.keywords if each.arg},
        }
    if isinstance(value, ast.Dict):
        return {
            name: item
            for key, item in zip(value.keys, value.values, strict=True)
            if (name := _literal(key)) is not None
        }
    return {}


def _aliases(options: dict[str, ast.expr]) -> list[str]:
    given = next((options[name] for name in ("validation_alias", "env", "alias") if name in options), None)
    items = (
        given.args
        if isinstance(given, ast.Call)
        else given.elts
        if isinstance(given, (ast.List, ast.Tuple))
        else [given]
    )
    return [text for item in items if (text := _literal(item)) is not None]


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
