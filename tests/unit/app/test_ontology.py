"""The vocabulary as it is loaded from the data file."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources, util
from pathlib import Path

import pytest

from oms.app.ontology import ROOT, Ontology, UnknownType

ROOT_FOLDER = Path(__file__).resolve().parents[3]


def test_size(ontology: Ontology) -> None:
    """The whole vocabulary is there: about 930 types and 1,500 properties."""

    assert 900 < len(ontology.types) < 960
    assert 1400 < len(ontology.vocabulary)
    assert "30.1" == ontology.version


def test_object_type(ontology: Ontology) -> None:
    """A type knows its parents and the properties that it adds."""
    person = ontology.object_type("Person")

    assert ("Thing",) == person.parents
    assert "birthDate" in person.properties
    assert "name" not in person.properties


def test_enumeration_members(ontology: Ontology) -> None:
    """An enumeration carries its values."""

    assert "Monday" in ontology.object_type("DayOfWeek").members


def test_ancestors_nearest_first(ontology: Ontology) -> None:
    """Several parents come before their own parent, which comes once."""

    assert ("Organization", "Place", "Thing") == ontology.ancestors("LocalBusiness")
    assert () == ontology.ancestors(ROOT)


def test_descendants_are_the_other_way_round(ontology: Ontology) -> None:
    """B is below A exactly if A is above B, for every pair."""
    below = {(lower, upper) for upper in ontology.types for lower in ontology.descendants(upper)}
    above = {(lower, upper) for lower in ontology.types for upper in ontology.ancestors(lower)}

    assert above == below
    assert len(ontology.types) - 1 == len(ontology.descendants(ROOT))


def test_properties_are_inherited(ontology: Ontology) -> None:
    """A type has its own properties and those of every ancestor."""
    names = [each.name for each in ontology.properties("Person")]

    assert sorted(names) == names
    assert {"birthDate", "name", "url"} <= set(names)


def test_is_a(ontology: Ontology) -> None:
    """A type is itself and each of its ancestors; an unknown name is nothing."""

    assert ontology.is_a("Restaurant", "Place")
    assert ontology.is_a("Place", "Place")
    assert not ontology.is_a("Place", "Restaurant")
    assert not ontology.is_a("Nobody", "Thing")


def test_unknown_type_names_near_ones(ontology: Ontology) -> None:
    """An unknown name is refused with near names, and is not repeated itself."""
    with pytest.raises(UnknownType) as caught:
        ontology.object_type("Persn")

    assert "did you mean Person" in str(caught.value)
    assert "Persn" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "person", "../Person", "Text", "x" * 100_000])
def test_names_that_are_no_types(ontology: Ontology, name: str) -> None:
    """Other spellings, paths, data types and endless names are no types."""
    with pytest.raises(UnknownType):
        ontology.ancestors(name)


def test_every_relation_has_both_ends(ontology: Ontology) -> None:
    """Each parent, domain and range is a type or data type of the same file."""
    known = set(ontology.types) | set(ontology.datatypes)

    assert set() == {parent for each in ontology.types.values() for parent in each.parents} - known
    assert set() == {name for each in ontology.vocabulary.values() for name in each.domains + each.ranges} - known


def test_data_file_stands_apart() -> None:
    """The data file says its licence, and the notice lies beside it."""
    folder = resources.files("oms.app").joinpath("data")
    content = json.loads(folder.joinpath("schemaorg.json").read_text(encoding="utf-8"))

    assert "CC BY-SA 3.0" in content["licence"]
    assert "CC BY-SA 3.0" in folder.joinpath("LICENSE-schemaorg.md").read_text(encoding="utf-8").replace(
        "Creative Commons Attribution-ShareAlike 3.0", "CC BY-SA 3.0"
    )


@pytest.mark.skipif(util.find_spec("schema_org") is None, reason="the extra `ontology` is not installed")
def test_data_file_is_what_the_script_makes() -> None:
    """Generating again changes nothing."""
    again = subprocess.run([sys.executable, str(ROOT_FOLDER / "scripts" / "build_ontology.py"), "--check"], check=False)

    assert 0 == again.returncode
