"""What the configuration promises, whoever answers."""

from __future__ import annotations

import pytest
from sides.config import SECRETS, fill

from oms.seams.config import SETTINGS, Asks, Secret, Settings, UnknownSetting, sites
from oms.seams.known import load_known
from oms.testing import KnownException, contract

EXCEPTIONS = (
    KnownException("CF-01", "settings", "test_no_secret_has_a_default"),
    KnownException("CF-02", "settings", "test_one_key_under_every_name"),
    KnownException("CF-03", "settings", "test_one_environment_under_every_name"),
    KnownException("CF-04", "settings", "test_one_environment_in_any_letters"),
    KnownException("CF-05", "settings", "test_one_address_of_iam"),
    KnownException("CF-06", "settings", "test_one_timeout"),
    KnownException("CF-07", "settings", "test_certificates_are_verified"),
    KnownException("CF-08", "settings", "test_one_vocabulary"),
    KnownException("CF-09", "settings", "test_one_redis"),
    KnownException("CF-10", "settings", "test_one_switch_for_nats"),
    KnownException("CF-11", "settings", "test_one_database"),
    KnownException("CF-12", "settings", "test_one_address_of_the_database"),
    KnownException("CF-13", "settings", "test_one_password_of_the_database"),
    KnownException("CF-14", "settings", "test_mtls_is_on"),
    KnownException("CF-15", "settings", "test_one_tracing"),
    KnownException("CF-16", "settings", "test_one_level"),
    KnownException("CF-17", "settings", "test_one_switch_for_json_logs"),
    KnownException("CF-18", "settings", "test_one_user_service"),
    KnownException("CF-19", "settings", "test_one_address_of_a_neighbour"),
    KnownException("CF-20", "settings", "test_one_port"),
    KnownException("CF-21", "settings", "test_one_name_of_the_service"),
    KnownException("CF-22", "settings", "test_one_default_of_graphql"),
    KnownException("CS-01", "settings", "test_no_other_secret_has_a_default"),
    KnownException("SE-01", "settings", "test_defaults_at_every_place", raises=ValueError),
)
"""Every promise that the monolith breaks. Once one is kept, its line here makes the run red."""


def answers(settings: Settings, *names: str) -> set[object]:
    """Return what every place that asks for the value of one of *names* gets."""
    places = (
        (name, site) for name in names for site, asks in sites()[name].items() if asks in (Asks.VALUE, Asks.SECRET)
    )
    return {settings.read(name, site) for name, site in places if site != "shared/config/environment.py"}


@contract(SETTINGS, exceptions=EXCEPTIONS)
class TestSettings:
    """The promises of ``Settings``."""

    @pytest.mark.parametrize(("name", "site"), [("NOBODY", "main.py"), ("IAM_TIMEOUT", "nowhere.py"), ("", "")])
    def test_unknown_place(self, settings: Settings, name: str, site: str) -> None:
        """What no table lists is a slip of the programmer, and said so."""
        with pytest.raises(UnknownSetting):
            settings.read(name, site)

    def test_text(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A text is read as it is."""
        fill(monkeypatch, JWT_ISSUER=" issuer of é:ü ")

        assert " issuer of é:ü " == settings.read("JWT_ISSUER", "core/iam/iam_integration.py")

    @pytest.mark.parametrize(("text", "number"), [("7", 7), (" 7 ", 7), ("7_000", 7000), ("-1", -1)])
    def test_whole_number(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, text: str, number: int) -> None:
        """A whole number is read as one, in every form that Python reads."""
        fill(monkeypatch, DB_MAX_CONNECTIONS=text)

        assert number == settings.read("DB_MAX_CONNECTIONS", "database/clients/terminus_db.py")

    def test_number(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A number with a fraction is read as one."""
        fill(monkeypatch, REDIS_SOCKET_TIMEOUT="1e1")

        assert 10.0 == settings.read("REDIS_SOCKET_TIMEOUT", "config/redis_config.py")

    @pytest.mark.parametrize(
        ("text", "truth"), [("true", True), ("TRUE", True), ("false", False), ("False", False), ("0", False)]
    )
    def test_truth(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, text: str, truth: bool) -> None:
        """The words that every place knows are read as they mean."""
        fill(monkeypatch, REDIS_SSL=text)

        assert truth is settings.read("REDIS_SSL", "config/redis_config.py")

    def test_list(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A list is split at its commas."""
        fill(monkeypatch, CORS_ORIGINS="https://a.example,https://b.example")

        assert ["https://a.example", "https://b.example"] == settings.read(
            "CORS_ORIGINS", "api/graphql/modular_main.py"
        )

    def test_secret(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A secret comes as something that can be used and compared, and is not shown by accident."""
        fill(monkeypatch, **SECRETS)
        found = settings.read("JWT_SECRET", "core/iam/iam_integration.py")

        assert isinstance(found, Secret)
        assert SECRETS["JWT_SECRET"] == found.reveal()
        assert Secret(SECRETS["JWT_SECRET"]) == found
        assert SECRETS["JWT_SECRET"] not in repr(found) + str(found) + f"{found}"

    def test_what_is_set_counts_everywhere(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that is set reads the same at every place that asks for its value."""
        fill(monkeypatch, IAM_TIMEOUT="7", REDIS_URL="redis://r", SERVICE_NAME="s", GRPC_PORT="1", **SECRETS)

        assert [{7}, {"redis://r"}, {"s"}, {1}, {Secret(SECRETS["JWT_SECRET"])}] == [
            answers(settings, name) for name in ("IAM_TIMEOUT", "REDIS_URL", "SERVICE_NAME", "GRPC_PORT", "JWT_SECRET")
        ]

    def test_defaults_at_every_place(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nothing is set that must be, every place still gets an answer."""
        fill(monkeypatch, ENVIRONMENT="production", **SECRETS)
        for name, row in sites().items():
            for site in row:
                settings.read(name, site)

    # -- one variable, one meaning

    def test_no_secret_has_a_default(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key that is not set is None: nobody signs with one that stands in the source."""
        fill(monkeypatch, ENVIRONMENT="development")

        assert {None} == answers(settings, "JWT_SECRET")

    def test_no_other_secret_has_a_default(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """So it is with every other secret."""
        fill(monkeypatch, ENVIRONMENT="development")
        names = [
            "BACKUP_MASTER_KEY",
            "MINIO_ROOT_PASSWORD",
            "OMS_SECRET_KEY",
            "SIEM_TOKEN",
            "DATABASE_URL",
            "POSTGRES_URL",
        ]

        assert {None} == answers(settings, *names)

    def test_one_key_under_every_name(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is one key for tokens, whatever the place calls it."""
        fill(monkeypatch, **SECRETS)

        assert 1 == len(answers(settings, "JWT_SECRET", "JWT_SECRET_KEY", "AUTH_JWT_SECRET"))

    def test_one_environment_under_every_name(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is one environment, whatever the place calls it, and unset it is production."""

        assert {"production"} == answers(settings, "ENVIRONMENT", "ENV", "APP_ENV", "DEPLOY_ENV", "OMS_ENVIRONMENT")

    @pytest.mark.parametrize("word", ["Production", "prod", " production "])
    def test_one_environment_in_any_letters(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, word: str
    ) -> None:
        """Every place knows production when it sees it."""
        fill(monkeypatch, ENVIRONMENT=word, **SECRETS)
        asking = [
            site for site, asks in sites()["ENVIRONMENT"].items() if asks in (Asks.IS_PRODUCTION, Asks.IS_DEPLOYED)
        ]

        assert {True} == {settings.read("ENVIRONMENT", site) for site in asking}

    def test_one_address_of_iam(self, settings: Settings) -> None:
        """IAM is at one address."""

        assert {"https://iam-service:8443"} == answers(settings, "IAM_SERVICE_URL")

    def test_one_timeout(self, settings: Settings) -> None:
        """IAM has one timeout."""

        assert {10} == answers(settings, "IAM_TIMEOUT")

    @pytest.mark.parametrize("word", ["1", "yes", "on"])
    def test_certificates_are_verified(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
        """Every word for yes verifies."""
        fill(monkeypatch, IAM_VERIFY_SSL=word)

        assert {True} == answers(settings, "IAM_VERIFY_SSL")

    @pytest.mark.parametrize("word", ["1", "yes"])
    def test_one_vocabulary(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
        """Every place knows the same words for yes."""
        fill(monkeypatch, TEST_MODE=word)

        assert {True} == answers(settings, "TEST_MODE")

    def test_one_redis(self, settings: Settings) -> None:
        """Redis is at one address."""

        assert {"redis://redis:6379"} == answers(settings, "REDIS_URL")

    def test_one_switch_for_nats(self, settings: Settings) -> None:
        """An unset address turns NATS off, for those who publish and for those who connect."""

        assert {None} == answers(settings, "NATS_URL")
        assert False is settings.read("NATS_URL", "core/event_publisher/__init__.py")

    def test_one_database(self, settings: Settings) -> None:
        """There is one database."""

        assert {"oms"} == answers(settings, "TERMINUSDB_DB")

    def test_one_address_of_the_database(self, settings: Settings) -> None:
        """It is at one address, whatever the place calls it."""

        assert {"http://terminusdb:6363"} == answers(
            settings, "TERMINUSDB_URL", "TERMINUSDB_ENDPOINT", "OMS_DATABASE_URL"
        )

    def test_one_password_of_the_database(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has one password, whatever the place calls it."""
        fill(monkeypatch, **SECRETS)
        names = [
            "TERMINUS_DB_PASSWORD",
            "TERMINUSDB_KEY",
            "TERMINUSDB_ADMIN_PASS",
            "TERMINUSDB_PASS",
            "OMS_DATABASE_PASSWORD",
        ]

        assert {Secret(SECRETS["TERMINUS_DB_PASSWORD"])} == answers(settings, *names)

    def test_mtls_is_on(self, settings: Settings) -> None:
        """Nothing turns mTLS off but somebody who does."""

        assert {True} == answers(settings, "MTLS_ENABLED")

    def test_one_tracing(self, settings: Settings) -> None:
        """Tracing is off by default, and its agent has one port."""

        assert [{False}, {6831}] == [answers(settings, "JAEGER_ENABLED"), answers(settings, "JAEGER_AGENT_PORT")]

    def test_one_level(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """A level has one spelling and is nowhere overruled."""
        fill(monkeypatch, LOG_LEVEL="info", ENVIRONMENT="production", **SECRETS)

        assert {"INFO"} == answers(settings, "LOG_LEVEL")

    @pytest.mark.parametrize(("name", "text"), [("LOG_FORMAT", "json"), ("LOG_JSON", "true")])
    def test_one_switch_for_json_logs(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, text: str
    ) -> None:
        """Either switch turns JSON logs on for everybody."""
        fill(monkeypatch, **{name: text})

        assert [True, True] == [
            settings.read("LOG_FORMAT", "utils/logger.py"),
            settings.read("LOG_JSON", "utils/unified_logger.py"),
        ]

    def test_one_user_service(self, settings: Settings) -> None:
        """The probe asks the host that the client uses."""

        assert {"https://user-service:8443"} == answers(settings, "USER_SERVICE_URL")

    def test_one_address_of_a_neighbour(self, settings: Settings) -> None:
        """A neighbour is at one address, with TLS."""

        assert {"https://schema-service:8443"} == answers(settings, "SCHEMA_SERVICE_URL")

    def test_one_port(self, settings: Settings) -> None:
        """A variable names one port."""

        assert {50051} == answers(settings, "GRPC_PORT")

    def test_one_name_of_the_service(self, settings: Settings) -> None:
        """The service has one name."""

        assert {"oms-service"} == answers(settings, "SERVICE_NAME")

    def test_one_default_of_graphql(self, settings: Settings) -> None:
        """What GraphQL does by default does not depend on where it runs."""

        assert {True} == answers(settings, "ENABLE_GQL_SECURITY", "ENABLE_GQL_CACHE", "ENABLE_GQL_TRACING")


def test_every_exception_is_a_rule() -> None:
    """What the contract excuses, a rule of the shadow names, and each of the 22 conflicts is excused once."""
    excused = {exception.id for exception in EXCEPTIONS}

    assert excused <= {rule.id for rule in load_known("config")}
    assert {f"CF-{number:02}" for number in range(1, 23)} <= excused
