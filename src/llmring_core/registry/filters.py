"""Rule: which models a caller asked for."""

from collections.abc import Mapping, Set

from llmring_core.errors import InvalidField
from llmring_core.registry.model import Facts, ModelKey

# What a caller may ask for, and the member that must be true.
CAPABILITIES: Mapping[str, str] = {
    name: f"supports_{name}"
    for name in (
        "audio",
        "caching",
        "documents",
        "function_calling",
        "json_mode",
        "json_schema",
        "logprobs",
        "long_context_pricing",
        "multiple_responses",
        "parallel_tool_calls",
        "pdf_input",
        "streaming",
        "system_message",
        "temperature",
        "thinking",
        "tool_choice",
        "vision",
    )
} | {"reasoning": "is_reasoning_model"}

ALIASES: Mapping[str, str] = {
    "functions": "function_calling",
    "tools": "function_calling",
    "json": "json_mode",
}


def filtered(
    models: Mapping[ModelKey, Facts], providers: Set[str], capabilities: Set[str]
) -> Mapping[ModelKey, Facts]:
    """Return the models of any of ``providers`` that have all of ``capabilities``.

    An empty set filters nothing; an unknown provider has no models.
    Raises: InvalidField for an unknown capability, so that a typo is not taken for an answer.
    """
    wanted = {provider.casefold() for provider in providers}
    members = [_member(capability) for capability in capabilities]
    return {
        key: facts
        for key, facts in models.items()
        if (not wanted or str(facts["provider"]).casefold() in wanted)
        and all(facts.get(member) is True for member in members)
    }


def _member(capability: str) -> str:
    name = capability.casefold()
    try:
        return CAPABILITIES[ALIASES.get(name, name)]
    except KeyError:
        rule = f"must be among {', '.join(sorted({*CAPABILITIES, *ALIASES}))}"
        raise InvalidField("capabilities", rule) from None
