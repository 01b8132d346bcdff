"""A team on a gateway as it runs in production: a process, a project with keys, and its tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.load import all_rows
from tests.integration.manager import TOKEN, Manager
from tests.integration.server import RunningServer, Tenant, run

KEYS = {"openai": "sk-openai-Zq7", "anthropic": "sk-ant-Zq7", "gemini": "AIza-Zq7"}  # nobody's
YAML = """
default_api: openai
apis:
  openai:
    base_url: {url}
    allowed_endpoints: [/v1/chat/completions, /v1/responses, /v1/embeddings, /v1/models]
    allowed_methods: [GET, POST]
  anthropic:
    base_url: {url}
    allowed_endpoints: [/v1/messages]
    allowed_methods: [POST]
    models: [claude-*]
  gemini:
    base_url: {url}
    allowed_endpoints: ["/v1beta/models/*"]
    allowed_methods: [POST]
"""


def settings(folder: Path, url: str, **more: str) -> dict[str, str]:
    """A server whose three providers are all at ``url``, and that can be managed."""
    file = folder / "providers.yaml"
    file.write_text(YAML.format(url=url))
    return {"api_config_path": str(file), "management_token": TOKEN} | more


@dataclass(frozen=True, slots=True)
class Team:
    """A project, with a token for its calls and a key to its ledger."""

    server: RunningServer
    project: str
    token: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def rows(self, server: RunningServer | None = None) -> list[dict[str, Any]]:
        """Everything its ledger has, the latest first; of ``server`` when that is another now."""
        return all_rows(Tenant(server or self.server, self.key))


def team(server: RunningServer, used: dict[str, str], **limits: Any) -> Team:
    """Set up a team; ``used`` are the server's settings, ``limits`` those of its token."""
    manager = Manager(server)
    others = {name: key for name, key in KEYS.items() if name != "openai"}
    project = manager.project(api_key=KEYS["openai"], provider_keys=others)
    token = manager.token(project["id"], **limits)["token"]
    key = run(server.folder, "keys", "create", "--project", project["name"], **used).strip()
    return Team(server, project["id"], token, key)
