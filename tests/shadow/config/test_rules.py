"""What each rule takes, and the near misses that it must not take: a rule that is too wide hides a protection that is lost."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import pytest

from oms.domain.comparison import Difference
from oms.domain.known import KnownClass, matching_rule
from oms.domain.observation import Facts, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.config import PREDICATES, Secret, sites
from oms.seams.known import load_known

RULES = load_known("config")
FACTS = Facts("read", Stage.SHADOW, Side.LEGACY)
REFUSED, NO_NUMBER = StandIn("ConfigurationError"), StandIn("ValueError")
KEY = Secret("c1a7f0d2" * 4)
BAD = Secret("your-secret-key")

IAM, FALLBACK = "core/iam/iam_integration.py", "core/integrations/iam_service_client_with_fallback.py"
STRICT = "shared/config/environment.py"


def found(path: str, legacy: object, unified: object) -> str | None:
    """Return the id of the rule that takes what the sides answer at *path*."""
    name, _, site = path.partition("@")
    assert site in sites()[name], path
    rule = matching_rule(RULES, "config.settings", Difference(kind_of(legacy, unified), path, legacy, unified), FACTS)
    return rule.id if rule else None


def kind_of(legacy: object, unified: object) -> str:
    """Return the kind that a comparison gives the difference."""
    if isinstance(legacy, StandIn) or isinstance(unified, StandIn):
        return "error"
    if legacy is None or unified is None:
        return "legacy_miss" if legacy is None else "unified_miss"
    return "value" if type(legacy) is type(unified) else "type"


TAKEN = [
    ("CF-01", f"JWT_SECRET@{IAM}", BAD, REFUSED),
    ("CF-01", f"JWT_SECRET@{IAM}", BAD, None),
    ("CF-01", f"JWT_SECRET@{IAM}", BAD, KEY),
    ("CF-01", f"JWT_SECRET@{IAM}", pickle.loads(pickle.dumps(BAD)), KEY),
    ("CF-01", "JWT_SECRET@core/auth/resource_permission_checker.py", Secret("dev-secret"), None),
    ("CF-01", f"JWT_SECRET@{FALLBACK}", None, REFUSED),
    ("CF-02", "JWT_SECRET_KEY@grpc_services/server.py", Secret("secret"), KEY),
    ("CF-02", "JWT_SECRET_KEY@shared/config/unified_config.py", Secret(""), None),
    ("CF-02", "JWT_SECRET_KEY@core/auth_utils/secure_author_provider.py", None, KEY),
    ("CF-02", "AUTH_JWT_SECRET@core/auth_utils/secure_author_provider.py", None, REFUSED),
    ("CF-03", "ENV@core/config/environment.py", "development", "production"),
    ("CF-03", "DEPLOY_ENV@shared/terminus_context/constants.py", "dev", "staging"),
    ("CF-03", "ENV@data_kernel/main.py", False, True),
    ("CF-04", "ENVIRONMENT@infra/tracing/jaeger_adapter.py", "Production", "production"),
    ("CF-04", "ENVIRONMENT@main_secure.py", " prod", "production"),
    ("CF-04", "ENVIRONMENT@core/auth/unified_auth.py", False, True),
    (
        "CF-05",
        "IAM_SERVICE_URL@core/integrations/iam_service_client.py",
        "http://user-service:8000",
        "https://iam-service:8443",
    ),
    ("CF-06", f"IAM_TIMEOUT@{FALLBACK}", 5, 10),
    ("CF-07", "IAM_VERIFY_SSL@core/integrations/iam_service_client.py", False, True),
    ("CF-08", "TEST_MODE@core/validation/dependencies.py", False, True),
    ("CF-09", "REDIS_URL@api/graphql/auth.py", "redis://localhost:6379", "redis://redis:6379"),
    ("CF-09", "REDIS_URL@core/integrations/iam_service_client.py", None, "redis://redis:6379"),
    ("CF-10", "NATS_URL@shared/infrastructure/real_nats_client.py", "nats://localhost:4222", None),
    ("CF-11", "TERMINUSDB_DB@bootstrap/providers/database.py", "oms_db", "oms"),
    ("CF-12", "TERMINUSDB_URL@bootstrap/database_config.py", "http://localhost:6363", "http://terminusdb:6363"),
    ("CF-12", "TERMINUSDB_ENDPOINT@bootstrap/providers/database.py", "http://localhost:6363", "https://db.example"),
    ("CF-12", "OMS_DATABASE_URL@config/settings.py", "http://localhost:6363", "http://terminusdb:6363"),
    ("CF-12", "TERMINUSDB_ADMIN_USER@core/backup/main.py", "admin", "oms"),
    ("CF-13", "TERMINUSDB_KEY@bootstrap/providers/database.py", Secret("root"), KEY),
    ("CF-13", "TERMINUS_DB_PASSWORD@shared/config/unified_config.py", Secret("root"), REFUSED),
    ("CF-13", "OMS_DATABASE_PASSWORD@config/settings.py", Secret("root"), None),
    ("CF-14", "MTLS_ENABLED@shared/config/unified_config.py", False, True),
    ("CF-15", "JAEGER_ENABLED@infra/tracing/otel_init.py", True, False),
    ("CF-15", "JAEGER_AGENT_PORT@infra/tracing/jaeger_adapter.py", 14268, 6831),
    ("CF-16", "LOG_LEVEL@data_kernel/main.py#uvicorn", "info", "INFO"),
    ("CF-16", "LOG_LEVEL@shared/config/unified_config.py", "WARNING", "INFO"),
    ("CF-17", "LOG_FORMAT@utils/logger.py", False, True),
    ("CF-17", "LOG_JSON@utils/unified_logger.py", False, True),
    ("CF-18", "USER_SERVICE_URL@main_secure.py", "http://localhost:18002", "https://user-service:8443"),
    (
        "CF-19",
        "BRANCH_SERVICE_URL@api/graphql/resolvers/base.py",
        "http://branch-service:8000",
        "https://branch-service:8443",
    ),
    ("CF-20", "GRPC_PORT@services/embedding-service/app/grpc_server.py", 50055, 50051),
    ("CF-21", "SERVICE_NAME@shared/terminus_context/constants.py", "oms", "oms-service"),
    ("CF-22", "ENABLE_GQL_CACHE@api/graphql/config.py#development", False, True),
    ("CS-01", "BACKUP_MASTER_KEY@core/backup/production_backup.py", Secret("default-insecure-key"), None),
    ("CS-01", "SIEM_TOKEN@infra/siem/config.py", Secret(""), None),
    ("CS-02", "PII_ENCRYPTION_KEY@core/security/pii_handler.py", None, REFUSED),
    ("CS-02", "REDIS_PASSWORD@config/redis_config.py", None, REFUSED),
    ("SE-01", f"IAM_SERVICE_URL@{STRICT}", NO_NUMBER, "https://iam-service:8443"),
    ("SE-01", f"IAM_SERVICE_URL@{STRICT}", None, "https://iam-service:8443"),
]
NEAR_MISSES = {
    "CF-01, a wrong key": (f"JWT_SECRET@{IAM}", KEY, Secret("0" * 32)),
    "CF-01, a lost key": (f"JWT_SECRET@{IAM}", KEY, None),
    "CF-01, a good key is refused": (f"JWT_SECRET@{IAM}", KEY, REFUSED),
    "CF-01, unified takes the key of the source": (f"JWT_SECRET@{IAM}", BAD, Secret("dev-secret")),
    "CF-01, the other way round": (f"JWT_SECRET@{IAM}", None, BAD),
    "CF-01, another error": (f"JWT_SECRET@{IAM}", BAD, StandIn("KeyError")),
    "CF-02, a wrong key": ("JWT_SECRET_KEY@grpc_services/server.py", KEY, Secret("0" * 32)),
    "CF-02, unified has a well-known one": (
        "JWT_SECRET_KEY@core/auth_utils/secure_author_provider.py",
        None,
        Secret("secret"),
    ),
    "CF-03, the other way round": ("ENV@core/config/environment.py", "production", "development"),
    "CF-03, another word": ("ENV@core/config/environment.py", "local", "production"),
    "CF-03, a place that asks for development, the other way round": ("ENV@data_kernel/main.py", True, False),
    "CF-04, the other way round": ("ENVIRONMENT@core/auth/unified_auth.py", True, False),
    "CF-04, a question about development": ("APP_ENV@api/graphql/modular_main.py", True, False),
    "CF-04, another word": ("ENVIRONMENT@main_secure.py", "production", "staging"),
    "CF-05, another address": (
        "IAM_SERVICE_URL@core/integrations/iam_service_client.py",
        "http://a",
        "https://iam-service:8443",
    ),
    "CF-05, no TLS": (f"IAM_SERVICE_URL@{IAM}", "https://iam-service:8443", "http://user-service:8000"),
    "CF-06, another number": (f"IAM_TIMEOUT@{FALLBACK}", 7, 10),
    "CF-06, a truth": (f"IAM_TIMEOUT@{FALLBACK}", 5, True),
    "CF-06, the other way round": (f"IAM_TIMEOUT@{FALLBACK}", 10, 5),
    "CF-07, certificates are no longer verified": (f"IAM_VERIFY_SSL@{IAM}", True, False),
    "CF-08, the other way round": ("TEST_MODE@infra/siem/config.py", True, False),
    "CF-09, another address": ("REDIS_URL@core/backup/main.py", "redis://a", "redis://redis:6379"),
    "CF-09, a lost address": ("REDIS_URL@core/backup/main.py", "redis://localhost:6379", None),
    "CF-10, a lost address": ("NATS_URL@shared/infrastructure/real_nats_client.py", "nats://n:4222", None),
    "CF-10, the switch": ("NATS_URL@core/event_publisher/__init__.py", True, False),
    "CF-11, another database": ("TERMINUSDB_DB@bootstrap/providers/database.py", "mine", "oms"),
    "CF-11, none": ("TERMINUSDB_DB@bootstrap/providers/database.py", "oms_db", None),
    "CF-12, another address": ("TERMINUSDB_URL@core/backup/main.py", "https://db.example", "http://terminusdb:6363"),
    "CF-12, an empty one": ("TERMINUSDB_URL@core/backup/main.py", "http://localhost:6363", ""),
    "CF-13, a wrong password": ("TERMINUSDB_KEY@bootstrap/providers/database.py", KEY, Secret("1" * 32)),
    "CF-13, another variable": ("TERMINUSDB_TEAM@bootstrap/providers/database.py", "admin", "root"),
    "CF-14, mTLS is turned off": ("MTLS_ENABLED@shared/service_client.py", True, False),
    "CF-15, the other way round": ("JAEGER_ENABLED@infra/tracing/jaeger_adapter.py", False, True),
    "CF-15, another port": ("JAEGER_AGENT_PORT@infra/tracing/otel_init.py", 14268, 14269),
    "CF-16, another level": ("LOG_LEVEL@utils/unified_logger.py", "DEBUG", "INFO"),
    "CF-16, forced elsewhere": ("LOG_LEVEL@utils/unified_logger.py", "WARNING", "INFO"),
    "CF-17, the other way round": ("LOG_FORMAT@utils/logger.py", True, False),
    "CF-18, another host": ("USER_SERVICE_URL@main_secure.py", "http://localhost:18002", "https://other:8443"),
    "CF-19, another neighbour's": (
        "SCHEMA_SERVICE_URL@api/graphql/resolvers/base.py",
        "http://branch-service:8000",
        "https://schema-service:8443",
    ),
    "CF-20, another port": ("GRPC_PORT@services/embedding-service/app/grpc_server.py", 50055, 50052),
    "CF-21, another name": ("SERVICE_NAME@shared/terminus_context/constants.py", "oms-monolith", "oms-service"),
    "CF-22, another place": ("ENABLE_GQL_CACHE@api/graphql/config.py", False, True),
    "CF-22, the other way round": ("ENABLE_GQL_CACHE@api/graphql/config.py#development", True, False),
    "CS-01, a lost key": ("BACKUP_MASTER_KEY@core/backup/production_backup.py", KEY, None),
    "CS-02, a lost key": ("PII_ENCRYPTION_KEY@core/security/pii_handler.py", KEY, REFUSED),
    "CS-02, a key out of nowhere": ("PII_ENCRYPTION_KEY@core/security/pii_handler.py", None, KEY),
    "SE-01, another place": (f"IAM_SERVICE_URL@{IAM}", NO_NUMBER, "https://iam-service:8443"),
    "SE-01, another error": (f"IAM_SERVICE_URL@{STRICT}", StandIn("KeyError"), "https://iam-service:8443"),
    "SE-01, unified raises": (f"IAM_SERVICE_URL@{STRICT}", "https://iam-service:8443", REFUSED),
}


@pytest.mark.parametrize(("id_", "path", "legacy", "unified"), TAKEN)
def test_taken(id_: str, path: str, legacy: object, unified: object) -> None:
    """Each rule takes its own conflict."""
    assert id_ == found(path, legacy, unified)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_miss(name: str) -> None:
    """No rule takes what only looks like its conflict, above all not what takes a protection away."""
    assert None is found(*NEAR_MISSES[name])


def test_each_rule_has_both() -> None:
    """Every id of the file has a conflict that it takes and near misses here, and there are no others."""
    ids = {rule.id for rule in RULES}

    assert (ids, ids) == ({taken[0] for taken in TAKEN}, {name.split(",")[0] for name in NEAR_MISSES})


def test_all_conflicts_have_rules() -> None:
    """The 22 conflicts of the reference all stand in the file."""
    assert {f"CF-{number:02}" for number in range(1, 23)} <= {rule.id for rule in RULES}


def test_each_predicate_is_used() -> None:
    """No predicate lies around for a rule that is not there."""
    assert set(PREDICATES) == {rule.when for rule in RULES}


def test_rules_run_out() -> None:
    """Every rule has an owner, a reason, a date on which somebody looks at it again, and is accepted: live demands it."""
    assert {(dt.date(2027, 6, 30), KnownClass.ACCEPTED)} == {(rule.expires, rule.klass) for rule in RULES}
    assert [] == [rule.id for rule in RULES if len(rule.reason) < 40 or not rule.owner.startswith("platform-")]


def test_anchors() -> None:
    """Every rule points to a place of the migration guide that is there."""
    guide = (Path(__file__).parents[3] / "docs/migration/config.md").read_text("utf-8")

    assert [] == [rule.id for rule in RULES if f'<a id="{rule.anchor.split("#")[1]}"></a>' not in guide]
    assert {f"docs/migration/config.md#{rule.id.lower()}" for rule in RULES} == {rule.anchor for rule in RULES}


def test_no_rule_takes_another_seam() -> None:
    """A rule of the configuration takes nothing of another seam."""
    difference = Difference("value", f"IAM_TIMEOUT@{FALLBACK}", 5, 10)

    assert None is matching_rule(RULES, "cache.types", difference, FACTS)
