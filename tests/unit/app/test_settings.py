"""What the settings accept, in which order, and what they never say."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_app.cli.config import written
from llmring_app.errors import BadSetting
from llmring_app.settings import (
    NAMES,
    TOLERATED,
    TYPES,
    Settings,
    variable,
    without_password,
)
from llmring_app.witness_keys import witness_in
from tests.builders.transparency import SIGNER
from tests.builders.witnesses import WITNESS_KEY

REFERENCE = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text()
NO_FILE = Path("/nonexistent/.env")
SECRET = "Zq7canary"  # noqa: S105  # too odd to occur in a message by itself
WITNESS = WITNESS_KEY.key.text

names = st.sampled_from(sorted({*NAMES, *TOLERATED, "databse_url", "nothing_like_it"}))
printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=20)


def read(**variables: str) -> Settings:
    return Settings.read({f"LLMRING_{name}": value for name, value in variables.items()}, NO_FILE)


def refusal(variables: Mapping[str, str], dotenv: Path = NO_FILE) -> str:
    with pytest.raises(BadSetting) as refused:
        Settings.read(variables, dotenv)
    return str(refused.value)


def complaint(variables: Mapping[str, str]) -> str:
    try:
        Settings.read(variables, NO_FILE)
    except BadSetting as refused:
        return str(refused)
    return ""


class TestSources:
    def test_need_no_variable_at_all(self) -> None:
        settings = Settings.read({}, NO_FILE)

        assert settings == Settings()
        assert settings.database_url == "sqlite:///./llmring.db"
        assert settings.cors_origins == ("http://localhost:5173", "http://localhost:5174")

    def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
        self, tmp_path: Path
    ) -> None:
        dotenv = tmp_path / ".env"
        dotenv.write_text("LLMRING_CACHE_TTL=1\nLLMRING_DATABASE_SCHEMA=mine\nOTHER=x\n")

        settings = Settings.read({"LLMRING_CACHE_TTL": "2"}, dotenv)

        assert (settings.cache_ttl, settings.database_schema) == (2, "mine")
        assert settings.database_pool_size == 20

    def test_names_are_read_in_any_case(self) -> None:
        assert Settings.read({"llmring_Cache_TTL": " 7 "}, NO_FILE).cache_ttl == 7

    def test_one_name_in_two_spellings_is_refused(self) -> None:
        said = refusal({"LLMRING_CACHE_TTL": "1", "llmring_cache_ttl": "2"})

        assert said == "LLMRING_CACHE_TTL is given twice, in two spellings; keep one"

    def test_an_empty_variable_counts_as_absent(self) -> None:
        assert read(**{variable(f).removeprefix("LLMRING_"): "" for f in TYPES}) == Settings(
            cors_origins=()
        )

    def test_a_secret_may_be_in_a_file_of_its_own(self, tmp_path: Path) -> None:
        secret = tmp_path / "url"
        secret.write_text("postgresql://u:p@db/usage\n")

        assert read(DATABASE_URL_FILE=str(secret)).database_url == "postgresql://u:p@db/usage"

    def test_the_environment_also_goes_before_a_secret_file_that_dotenv_names(
        self, tmp_path: Path
    ) -> None:
        dotenv = tmp_path / ".env"
        (tmp_path / "url").write_text("redis://file:6379")
        dotenv.write_text(f"LLMRING_REDIS_URL_FILE={tmp_path}/url")

        assert Settings.read({}, dotenv).redis_url == "redis://file:6379"
        assert Settings.read({"LLMRING_REDIS_URL": "redis://e"}, dotenv).redis_url == "redis://e"

    @pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff"])
    def test_a_secret_file_must_hold_something(self, tmp_path: Path, content: bytes | None) -> None:
        secret = tmp_path / "url"
        if content is not None:
            secret.write_bytes(content)

        said = refusal({"LLMRING_REDIS_URL_FILE": str(secret)})

        assert said == "LLMRING_REDIS_URL_FILE must name a readable file that is not empty"

    def test_the_test_environment_has_a_database_of_its_own(self) -> None:
        assert read(ENV="test").database_url == "sqlite:///./llmring_test.db"
        assert read(ENV="test", DATABASE_URL="sqlite:///x").database_url == "sqlite:///x"

    def test_production_has_no_default_database(self) -> None:
        assert refusal({"LLMRING_ENV": "prod"}) == "LLMRING_DATABASE_URL must be set for production"
        assert read(ENV="prod", DATABASE_URL="sqlite:///x").env == "prod"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("DATABSE_URL", "LLMRING_DATABASE_URL"),
            ("DATABASE_URLFILE", "LLMRING_DATABASE_URL_FILE"),
            ("CORS_ORIGIN", "LLMRING_CORS_ORIGINS"),
        ],
    )
    def test_a_near_miss_is_corrected(self, name: str, meant: str) -> None:
        said = refusal({f"LLMRING_{name}": ""})

        assert said == f"LLMRING_{name} is not a setting; did you mean {meant}?"

    def test_any_other_name_is_refused_with_where_to_look(self) -> None:
        said = refusal({"LLMRING_QWXYZ": "1"})

        assert said == "LLMRING_QWXYZ is not a setting; `llmring-server config --help` lists them"

    def test_names_of_the_client_and_of_other_servers_mean_nothing(self) -> None:
        assert read(**{name.upper(): "x" for name in TOLERATED}) == Settings()


class TestValues:
    @pytest.mark.parametrize(("historic", "meant"), [("bridge", "open"), ("strict", "keys")])
    def test_the_historic_name_of_auth_works(self, historic: str, meant: str) -> None:
        assert read(API_KEY_VALIDATION_MODE=historic).auth == meant

    def test_the_historic_name_of_auth_beside_the_new_one_is_refused(self) -> None:
        said = refusal({"LLMRING_API_KEY_VALIDATION_MODE": "strict", "LLMRING_AUTH": "open"})

        assert said == "LLMRING_AUTH is given twice, in two spellings; keep one"

    @pytest.mark.parametrize(
        ("text", "origins"),
        [
            ("", ()),
            ("*", ("*",)),
            ("http://a, https://b:1 ,", ("http://a", "https://b:1")),
            ('["http://a", "https://b:1"]', ("http://a", "https://b:1")),
            ("[]", ()),
        ],
    )
    def test_origins_are_a_list(self, text: str, origins: tuple[str, ...]) -> None:
        assert read(CORS_ORIGINS=text).cors_origins == origins

    @pytest.mark.parametrize("url", ["https://w.example", "http://127.0.0.1:8099/w1/"])
    def test_witnesses_are_an_address_and_a_key_each(self, url: str) -> None:
        pairs = (f"{url}={WITNESS}", f"https://v.example={WITNESS}")

        assert read(WITNESSES=" , ".join(pairs)).witnesses == pairs
        assert [witness_in(pair) for pair in pairs] == [
            (url, WITNESS_KEY.key),
            ("https://v.example", WITNESS_KEY.key),
        ]

    @pytest.mark.parametrize("text", ["TRUE", "true", "1"])
    def test_flags_are_true_or_false(self, text: str) -> None:
        assert read(OPEN_TO_NETWORK=text).open_to_network is True

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("ENV", "staging"),
            ("DATABASE_URL", "mysql://u:p@h/d"),
            ("DATABASE_URL", "postgresql://u:p@h:port/d"),
            ("DATABASE_URL", "no url"),
            ("DATABASE_SCHEMA", 'x"; DROP'),
            ("DATABASE_SCHEMA", "pg_catalog"),
            ("DATABASE_POOL_SIZE", "0"),
            ("DATABASE_POOL_SIZE", "many"),
            ("DATABASE_POOL_OVERFLOW", "-1"),
            ("REDIS_URL", "http://h"),
            ("REDIS_URL", "redis://h:port"),
            ("REDIS_URL", "redis://h/0?nonsense=1"),
            ("CACHE_TTL", "1h"),
            ("CORS_ORIGINS", "localhost:5173"),
            ("CORS_ORIGINS", "http://a/"),
            ("CORS_ORIGINS", '["http://a"'),
            ("CORS_ORIGINS", "[1]"),
            ("REGISTRY_BASE_URL", "ftp://h/"),
            ("REGISTRY_BASE_URL", "https://user:token@h/"),
            ("REGISTRY_BASE_URL", "https://h:port/"),
            ("REGISTRY_REFRESH_S", "-1"),
            ("AUTH", "strict"),
            ("API_KEY_VALIDATION_MODE", "keys"),
            ("OPEN_TO_NETWORK", "maybe"),
            ("MAX_BODY_BYTES", "1"),
            ("MANAGEMENT_TOKEN", "short"),
            ("MANAGEMENT_TOKEN", f"{'a' * 16} b"),
            ("ENCRYPTION_KEY", "A" * 42),
            ("ENCRYPTION_KEY", f"{'A' * 43};{'A' * 43}"),
            ("GATEWAY_PROJECT_DELETE", "maybe"),
            ("OBSERVABILITY_ENABLED", "perhaps"),
            ("OBSERVABILITY_BUFFER_SIZE", "0"),
            ("OBSERVABILITY_MAX_REQUEST_BODY_BYTES", "-1"),
            ("OBSERVABILITY_MAX_RESPONSE_BODY_BYTES", "16777217"),
            ("WITNESSES", "https://w.example"),
            ("WITNESSES", f"w.example={WITNESS}"),
            ("WITNESSES", f"https://w.example:port={WITNESS}"),
            ("WITNESSES", f"https://user@w.example={WITNESS}"),
            ("WITNESSES", f"https://w.example?x={WITNESS}"),
            ("WITNESSES", f"https://w.example={WITNESS[:-1]}"),
            ("WITNESSES", f"https://w.example={WITNESS.replace('+', '+0', 1)}"),
            ("WITNESSES", f"https://w.example={SIGNER.key.text}"),
            ("WITNESSES", f"https://w.example={WITNESS} https://v.example={WITNESS}"),
            ("WITNESSES", ",".join([f"https://w.example={WITNESS}"] * 17)),
        ],
    )
    def test_a_bad_value_is_refused_by_name_and_rule(self, name: str, text: str) -> None:
        said = refusal({f"LLMRING_{name}": text})

        assert said.startswith(f"LLMRING_{name} must be ")
        assert "\n" not in said

    @given(name=names, before=printable, after=printable)
    def test_no_value_is_ever_repeated(self, name: str, before: str, after: str) -> None:
        assert SECRET not in complaint({variable(name): f"{before}{SECRET}{after}"})


class TestRedaction:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("sqlite:///./llmring.db", "sqlite:///./llmring.db"),
            ("postgresql://h/d", "postgresql://h/d"),
            ("postgresql://u@h/d", "postgresql://u@h/d"),
            ("postgresql://u:p@h/d?sslmode=require", "postgresql://u:***@h/d?sslmode=require"),
            ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
            ("postgresql://u@x:p@h/d", "postgresql://u@x:***@h/d"),
            ("postgresql://u:p\nq@h/d", "postgresql://u:***@h/d"),
            ("postgresql://u:p@ss/w:o@h:1/d", "postgresql://u:***@h:1/d"),
            ("postgresql://h/d?password=p&user=u", "postgresql://h/d?password=***&user=u"),
            ("redis://:p@h:6379/0", "redis://:***@h:6379/0"),
        ],
    )
    def test_a_password_is_not_shown(self, url: str, shown: str) -> None:
        assert without_password(url) == shown

    @given(password=st.text(st.sampled_from("aZ9:/?@&=%#.\n"), max_size=12))
    def test_whatever_the_password_looks_like(self, password: str) -> None:
        assert SECRET not in without_password(f"postgresql://u:{password}{SECRET}{password}@h/d")

    def test_settings_print_without_passwords(self) -> None:
        url = f"postgresql://u:{SECRET}@h/d"

        secrets = {"MANAGEMENT_TOKEN": SECRET * 2, "ENCRYPTION_KEY": SECRET + "A" * 34}

        settings = read(DATABASE_URL=url, REDIS_URL=f"redis://:{SECRET}@h", **secrets)

        assert settings.database_url == url
        assert SECRET not in f"{settings} {settings!r} {settings.redacted()}"


class TestDocumentation:
    def test_has_a_row_for_every_setting_with_its_default(self) -> None:
        rows = dict(re.findall(r"^\| `(LLMRING_\w+)` \|(.*?)\|", REFERENCE, re.MULTILINE))

        assert set(rows) == {variable(field) for field in TYPES}
        for name, default in Settings().redacted().items():
            assert rows[name].strip(" `") == written(default)

    def test_names_everything_that_is_tolerated(self) -> None:
        missing = [name for name in TOLERATED if f"`{variable(name)}`" not in REFERENCE]

        assert missing == []
