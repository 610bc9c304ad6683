"""The rule ``no-direct-os-getenv`` for those who want its name in ``lint-imports``.

In ``pyproject.toml``::

    [tool.importlinter]
    root_package = "shop"
    contract_types = ["no-direct-os-getenv: oms.migration.gate.contract.NoDirectOsGetenv"]

    [[tool.importlinter.contracts]]
    name = "no-direct-os-getenv"
    type = "no-direct-os-getenv"
    source_modules = ["shop"]
    allowed_modules = ["shop.config"]

Limits, for the graph is import-linter's: it sees modules that can be imported from the root packages, so no scripts beside them and no folders
without ``__init__.py``; one file that does not parse keeps it from building any graph; it has no baseline, and its exit code 1 means a broken
contract as well as a mistake in the configuration. The gate (``oms env gate``) has none of these limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

from oms.migration.scan.scanning import scan
from oms.migration.scan.source import Source, read_source


class NoDirectOsGetenv(Contract):
    """No module of *source_modules*, nor below them, reaches the environment, but for *allowed_modules* and what is below these."""

    type_name = "no-direct-os-getenv"

    source_modules = fields.ListField(subfield=fields.StringField())
    allowed_modules = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return which accesses break the contract, by module."""
        sources, allowed = _names(self.source_modules), _names(self.allowed_modules)
        judged = [name for name in sorted(graph.modules) if _is_below(name, sources) and not _is_below(name, allowed)]
        files = {name: _file_of(name) for name in judged}
        found = {name: list(_accesses(file)) for name, file in files.items() if file is not None}
        broken = {name: lines for name, lines in found.items() if lines}
        unseen = [
            f"{name}: its source file was not found, so it was not judged"
            for name, file in files.items()
            if file is None
        ]
        return ContractCheck(kept=not broken, metadata={"accesses": broken}, warnings=unseen)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each access."""
        for module, lines in check.metadata["accesses"].items():
            output.print_error(f"{module} reaches the environment:")
            for line in lines:
                output.print_error(f"    {line}")


def _is_below(name: str, tops: tuple[str, ...]) -> bool:
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def _names(option: object) -> tuple[str, ...]:
    return tuple(str(each) for each in option) if isinstance(option, list) else ()


def _accesses(path: Path) -> Iterator[str]:
    source = read_source(path, path.name)
    if isinstance(source, Source):
        yield from (f"{row.file}:{row.line} {row.idiom} {row.variable or '<dynamic>'}" for row in scan(source).accesses)


def _file_of(module: str) -> Path | None:
    """Return the file of *module*, found from its top package on: asking for the whole name would run its packages."""
    top, *rest = module.split(".")
    spec = PathFinder.find_spec(top)
    places = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    if spec is not None and spec.origin and not rest:
        return Path(spec.origin)
    for place in places:
        file = place.joinpath(*rest)
        for candidate in (file / "__init__.py", file.with_name(f"{file.name}.py")):
            if candidate.is_file():
                return candidate
    return None
