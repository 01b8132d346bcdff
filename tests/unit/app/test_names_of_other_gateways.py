"""Settings under the names that other gateways give them."""

from pathlib import Path

import pytest

from llmring_app.errors import BadSetting
from llmring_app.other_names import TWINS
from llmring_app.settings import Settings

REFERENCE = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text()
NO_FILE = Path("/nonexistent/.env")


def test_names_of_other_gateways_are_read_after_our_own(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"LLMRING_MANAGEMENT_TOKEN={'a' * 16}\nENCRYPTION_KEY={'A' * 43}=\n")
    other = {"MANAGEMENT_TOKEN": "b" * 16}

    assert Settings.read(other, NO_FILE).management_token == "b" * 16
    assert Settings.read(other, dotenv).management_token == "a" * 16
    assert Settings.read({}, dotenv).encryption_key == "A" * 43 + "="


def test_each_such_name_is_one_of_our_settings() -> None:
    other = {
        "API_CONFIG_PATH": "providers.yaml",
        "DEFAULT_API_PROVIDER": "anthropic",
        "ENCRYPTION_KEY": "A" * 43,
        "MANAGEMENT_TOKEN": "b" * 16,
        "MAX_REQUEST_SIZE": "10485760",
    }

    settings = Settings.read(other, NO_FILE)

    assert settings == Settings(
        api_config_path="providers.yaml",
        default_api_provider="anthropic",
        encryption_key="A" * 43,
        management_token="b" * 16,
        gateway_max_body_bytes=10485760,
    )
    assert other.keys() <= TWINS.keys() and all(f"`{name}`" in REFERENCE for name in other)


def test_such_a_name_is_named_when_it_is_wrong_and_left_alone_when_it_does_not_count() -> None:
    other = {"MAX_REQUEST_SIZE": "10MB", "MANAGEMENT_TOKEN": "short"}

    for name, text in other.items():
        with pytest.raises(BadSetting, match=f"^{name} must be ") as refused:
            Settings.read({name: text}, NO_FILE)
        assert text not in str(refused.value)
    ours = {"LLMRING_GATEWAY_MAX_BODY_BYTES": "2048", "LLMRING_MANAGEMENT_TOKEN": "b" * 16}
    assert Settings.read(other | ours, NO_FILE).gateway_max_body_bytes == 2048


def test_names_that_many_programs_have_are_not_ours() -> None:
    assert Settings.read({"DATABASE_URL": "mysql://x", "LOG_LEVEL": "trace"}, NO_FILE) == Settings()
