"""Names of settings that other programs know."""

from typing import Final

# What other gateways call a field of ours.
TWINS: Final = {
    field.upper(): field
    for field in (
        "api_config_path",
        "default_api_provider",
        "encryption_key",
        "file_event_log",
        "http_cache_backend",
        "http_cache_default_ttl",
        "http_cache_enabled",
        "http_cache_max_object_bytes",
        "http_cache_stream_responses",
        "management_token",
        "observability_buffer_size",
        "observability_enabled",
        "observability_max_request_body_bytes",
        "observability_max_response_body_bytes",
        "redis_cache_key_prefix",
        "redis_cache_url",
    )
} | {"MAX_REQUEST_SIZE": "gateway_max_body_bytes"}

# Names of other released servers, of their compose files and of the published client. They may
# well be set on the same machine; here they mean nothing.
TOLERATED: Final = frozenset(
    {
        "api_key",
        "api_prefix",
        "dev_port",
        "enable_conversation_tracking",
        "enforce_membership_verification",
        "http_port",
        "message_logging_level",
        "message_retention_days",
        "port",
        "prefer_saas",
        "profile",
        "project_key",
        "server_url",
        "strict_cost",
    }
)
