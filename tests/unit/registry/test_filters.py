import pytest

from llmring_core.errors import InvalidField
from tests.unit.registry.builders import catalogue, entry, published

MODELS = catalogue(
    (
        "openai",
        published(
            seeing=entry(supports_vision=True, supports_function_calling=True),
            thinking=entry(supports_vision=False, is_reasoning_model=True),
        ),
    ),
    ("google", published("google", gem=entry(supports_vision=True, supports_json_mode=True))),
)


@pytest.mark.parametrize(
    ("providers", "capabilities", "found"),
    [
        (set(), set(), {"openai:seeing", "openai:thinking", "google:gem"}),
        ({"openai"}, set(), {"openai:seeing", "openai:thinking"}),
        ({"GOOGLE", "nope"}, set(), {"google:gem"}),
        ({"nope"}, set(), set()),
        (set(), {"vision"}, {"openai:seeing", "google:gem"}),
        (set(), {"vision", "json"}, {"google:gem"}),
        ({"openai"}, {"vision"}, {"openai:seeing"}),
        (set(), {"tools"}, {"openai:seeing"}),
        (set(), {"functions", "Function_Calling"}, {"openai:seeing"}),
        (set(), {"reasoning"}, {"openai:thinking"}),
        (set(), {"logprobs"}, set()),
    ],
)
def test_models_of_any_provider_with_all_capabilities(
    providers: set[str], capabilities: set[str], found: set[str]
) -> None:
    assert set(MODELS.select(providers, capabilities).models) == found


@pytest.mark.parametrize("name", ["telepathy", "__class__", "supports_vision", "is_active", "*"])
def test_an_unknown_capability_is_refused_even_where_nothing_is_left(name: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        MODELS.select({"nope"}, {"vision", name})
    assert refusal.value.field == "capabilities" and name not in refusal.value.rule.split(", ")
