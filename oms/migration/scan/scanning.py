"""All accesses of one file."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from oms.migration.scan.conversion import Conversion, conversion_of
from oms.migration.scan.references import MEMBERS, Resolver
from oms.migration.scan.scope_map import ScopeMap, map_scopes
from oms.migration.scan.secret_names import is_secret
from oms.migration.scan.settings_fields import settings_fields
from oms.migration.scan.site import READS, WRITES, Form, Site, imported_sites, site_of
from oms.migration.scan.source import Source, Spans


@dataclass(frozen=True, slots=True)
class Access:
    """One access, as reports show it.

    Attributes:
        file: Path below the folder that was given.
        line: From 1.
        column: In characters, from 1.
        idiom: Its spelling in terms of `os`, whatever the file calls it.
        variable: The variable's name, None if the text does not say.
        default: The default at this place, as source text; None if there is none.
        secret: The variable holds a secret, judged by its name.
        write: It changes the environment.
        form: What it does.
        conversion: What is made of the text.
    """

    file: str
    line: int
    column: int
    idiom: str
    variable: str | None
    default: str | None
    secret: bool
    write: bool
    form: Form
    conversion: Conversion


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """A file with its accesses in source order.

    Attributes:
        sites: With their nodes, for who wants to rewrite them.
        accesses: The same, as reports show them; row i is site i.
    """

    source: Source
    scopes: ScopeMap
    spans: Spans
    sites: tuple[Site, ...]
    accesses: tuple[Access, ...]


def scan(source: Source) -> Scanned:
    """Return every access of *source*."""
    scopes = map_scopes(source.tree or ast.Module([], []))
    spans = Spans(source.text)
    found = [site_of(reference, scopes) for reference in Resolver(scopes).references()]
    found += [*imported_sites(scopes, MEMBERS), *settings_fields(scopes)]
    found.sort(key=lambda site: (site.node.lineno, site.node.col_offset, site.variable or ""))
    rows = tuple(_access(site, source.file, scopes, spans) for site in found)
    return Scanned(source, scopes, spans, tuple(found), rows)


def _access(site: Site, file: str, scopes: ScopeMap, spans: Spans) -> Access:
    return Access(
        file=file,
        line=site.node.lineno,
        column=spans.column(site.node),
        idiom=site.idiom,
        variable=site.variable,
        default=None if site.default is None else spans.text(site.default),
        secret=is_secret(site.variable),
        write=site.form in WRITES,
        form=site.form,
        conversion=_conversion(site, scopes),
    )


def _conversion(site: Site, scopes: ScopeMap) -> Conversion:
    if site.form is Form.FIELD and isinstance(site.node, ast.AnnAssign):
        kind = ast.unparse(site.node.annotation)
        return Conversion(
            kind if kind in {"int", "float", "bool"} else "text", "pydantic's words" if kind == "bool" else None
        )
    return conversion_of(site.node, scopes.parents) if site.form in READS else Conversion()
