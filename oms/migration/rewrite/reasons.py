"""Why an access is left as it is."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from oms.migration.scan.references import Via
from oms.migration.scan.scanning import Access
from oms.migration.scan.site import Form, Site

REASONS: Mapping[str, str] = {
    "dynamic-key": "the name is computed: declare the family of names, then read each by its name",
    "write-item": "the environment is changed, which unified_env does not do",
    "delete-item": "a variable is removed, which unified_env does not do",
    "iteration": "all variables are read, not one",
    "snapshot": "the whole environment is copied, for a child process mostly",
    "getenv-as-value": "the function is handed on instead of called",
    "alias-or-escape": "the environment is handed on: who reads it later is not visible here",
    "through-alias": "read through a name that was assigned",
    "through-parameter": "read through a parameter: a caller may hand in something else",
    "dynamic-import": "os is imported or asked for by its name as text",
    "star-import": "with from os import * nobody can tell which names are os's",
    "unused-import": "imported but not used in this file: other files may import it from here",
    "rebound-name": "the name is bound more than once and not always to os",
    "bytes-api": "bytes instead of text, which unified_env does not read",
    "settings-field": "a pydantic settings class reads it: move the class, not the field",
    "odd-call": "the arguments are not those of a plain read",
    "odd-layout": "a comment, a line break or parentheses stand inside what would be replaced",
    "non-string-default": "suspect: the value is text or not, depending on the environment",
    "bool-of-text": "suspect: bool() of a text that is not empty is true, for the word false too",
    "unsatisfiable-compare": "suspect: the comparison can never be true",
    "test-file": "a test sets the environment up itself (--include-tests moves it)",
    "build-script": "it runs before any package is installed",
    "name-taken": "unified_env means something else in this file",
    "import-order": "it runs before the place where unified_env can be imported",
    "import-cycle": "the module of unified_env imports this file",
    "encoding-not-round-trip": "the file's encoding does not give the same bytes back",
    "not-provable": "the rewritten file is not the same program but for the moved reads",
    "verification-differs": "evaluated before and after, the expression differs",
}
SUSPECT = frozenset({"non-string-default", "bool-of-text", "unsatisfiable-compare"})

_FORMS = {
    Form.WRITE: "write-item",
    Form.DELETE: "delete-item",
    Form.ITERATE: "iteration",
    Form.SNAPSHOT: "snapshot",
    Form.VALUE: "getenv-as-value",
    Form.ESCAPE: "alias-or-escape",
    Form.STAR: "star-import",
    Form.IMPORT: "unused-import",
    Form.FIELD: "settings-field",
}
_VIAS = {
    Via.STAR: "star-import",
    Via.ALIAS: "through-alias",
    Via.PARAMETER: "through-parameter",
    Via.DYNAMIC: "dynamic-import",
}
_PLAIN = frozenset({"os.getenv", "os.environ.get", "os.environ[]", "in os.environ"})


def reason_to_leave(site: Site, access: Access, *, suspect: bool = False) -> str | None:
    """Return why *site* is left, a key of `REASONS`; None if it can move. *suspect* moves what looks like a defect, as it is."""
    reason = _impossible(site) or _suspect(site, access)
    return None if suspect and reason in SUSPECT else reason


def _impossible(site: Site) -> str | None:
    if site.form in _FORMS or site.reference is None:
        return _FORMS.get(site.form, "odd-call")
    target = site.reference.target
    if target.via in _VIAS:
        return _VIAS[target.via]
    if not target.certain:
        return "rebound-name"
    if site.reference.member.endswith("b"):
        return "bytes-api"
    if site.idiom not in _PLAIN or not _plain_call(site):
        return "odd-call"
    named = isinstance(site.key, (ast.Constant, ast.Name))
    return None if named and site.variable is not None else "dynamic-key"


def _plain_call(site: Site) -> bool:
    if not isinstance(site.node, ast.Call):
        return True
    if any(isinstance(argument, ast.Starred) for argument in site.node.args):
        return False
    names = [keyword.arg for keyword in site.node.keywords]
    return (len(site.node.args), names) in [(1, []), (2, []), (1, ["default"])]


def _suspect(site: Site, access: Access) -> str | None:
    conversion = access.conversion
    if not conversion.satisfiable:
        return "unsatisfiable-compare"
    default = site.default
    literal = isinstance(default, (ast.Constant, ast.UnaryOp, ast.List, ast.Tuple, ast.Dict, ast.Set))
    text = isinstance(default, ast.Constant) and (default.value is None or isinstance(default.value, str))
    if literal and not text and not (conversion.kind in {"int", "float"} and conversion.whole):
        return "non-string-default"
    if conversion.kind == "bool" and conversion.whole and isinstance(default, ast.Constant) and default.value:
        return "bool-of-text"
    return None
