"""The schema.org vocabulary: object types, their parents and their properties."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources

from oms.domain.errors import BadInput

ROOT = "Thing"
"""The type that every other type descends from."""


class UnknownType(BadInput):
    """A name that the vocabulary does not have as a type. The message offers near names, never the name itself: it came from outside."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property.

    Attributes:
        domains: The types that carry it, and with them all their descendants.
        ranges: What its value may be: types and data types (``Text``, ``Date``, ``URL`` ...).
    """

    name: str
    domains: tuple[str, ...]
    ranges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One type.

    Attributes:
        parents: Direct parents; more than one is common (a LocalBusiness is an Organization and a Place).
        properties: Names of the properties that it adds to those of its ancestors, sorted.
        members: Values of an enumeration, sorted; empty for every other type.
    """

    name: str
    parents: tuple[str, ...]
    properties: tuple[str, ...]
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ontology:
    """The vocabulary, read once and never changed.

    Attributes:
        version: Release of schema.org, ``30.1``.
        types: Every object type by name, sorted by name.
        vocabulary: Every property by name.
        datatypes: Parents of every data type by name.
    """

    version: str
    types: Mapping[str, ObjectType]
    vocabulary: Mapping[str, Property]
    datatypes: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]] = field(repr=False, default_factory=dict)

    @classmethod
    def load(cls) -> Ontology:
        """Read the data file of the package."""
        text = resources.files("oms.app").joinpath("data", "schemaorg.json").read_text(encoding="utf-8")
        return cls.from_content(json.loads(text))

    @classmethod
    def from_content(cls, content: Mapping[str, Mapping[str, list[str]]]) -> Ontology:
        """Build it from the data file's content, as ``scripts/build_ontology.py`` writes it."""
        vocabulary = {
            name: Property(name, tuple(domains), tuple(ranges))
            for name, (domains, ranges) in content["properties"].items()
        }
        own = _own_properties(vocabulary.values())
        types = {
            name: ObjectType(name, tuple(parents), tuple(own.get(name, ())), tuple(content["members"].get(name, ())))
            for name, parents in content["types"].items()
        }
        datatypes = {name: tuple(parents) for name, parents in content["datatypes"].items()}
        return cls(str(content["version"]), types, vocabulary, datatypes, _children(types.values()))

    def __contains__(self, name: object) -> bool:
        return name in self.types

    def object_type(self, name: str) -> ObjectType:
        """Return the type called *name*, in the vocabulary's own spelling.

        Raises:
            UnknownType: if there is none.
        """
        found = self.types.get(name)
        if found is None:
            near = (
                difflib.get_close_matches(name, self.types, n=3, cutoff=0.7)
                if name.isalnum() and len(name) < 50
                else ()
            )
            raise UnknownType(
                "type",
                found="a name that is none",
                wanted=f"one of the {len(self.types)} types of schema.org {self.version}",
                mend=f"did you mean {' or '.join(near)}?" if near else "",
            )
        return found

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return every type above *name*, nearest first, each once; empty for Thing. Raises UnknownType."""
        return _beyond(self.object_type(name).name, lambda each: self.types[each].parents)

    def descendants(self, name: str) -> tuple[str, ...]:
        """Return every type below *name*, nearest first, each once. Raises UnknownType."""
        return _beyond(self.object_type(name).name, lambda each: self.children.get(each, ()))

    def properties(self, name: str) -> tuple[Property, ...]:
        """Return the properties of *name*, own and inherited, sorted by name. Raises UnknownType."""
        lineage = (name, *self.ancestors(name))
        names = {each for ancestor in lineage for each in self.types[ancestor].properties}
        return tuple(self.vocabulary[each] for each in sorted(names))

    def is_a(self, name: str, wanted: str) -> bool:
        """Tell whether *name* is *wanted* or descends from it; an unknown name is nothing."""
        return name in self.types and (name == wanted or wanted in self.ancestors(name))


def _own_properties(vocabulary: Iterable[Property]) -> dict[str, list[str]]:
    own: dict[str, list[str]] = {}
    for each in vocabulary:
        for domain in each.domains:
            own.setdefault(domain, []).append(each.name)
    return {domain: sorted(names) for domain, names in own.items()}


def _children(types: Iterable[ObjectType]) -> dict[str, tuple[str, ...]]:
    children: dict[str, list[str]] = {}
    for each in types:
        for parent in each.parents:
            children.setdefault(parent, []).append(each.name)
    return {parent: tuple(sorted(names)) for parent, names in children.items()}


def _beyond(start: str, step: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """Return what *step* reaches from *start*, level by level, without *start*."""
    seen: dict[str, None] = {}
    level: tuple[str, ...] = step(start)
    while level:
        fresh = tuple(dict.fromkeys(name for name in level if name not in seen))
        seen.update(dict.fromkeys(fresh))
        level = tuple(name for each in fresh for name in step(each))
    return tuple(seen)
