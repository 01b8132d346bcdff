"""Letting a forwarded call in: whose it is, with which key it goes on, and that it is counted."""

from dataclasses import dataclass

from llmring_core.gateway import forwarding
from llmring_core.gateway.admission import ChargeRequest, OpenProviderKey, RecogniseToken
from llmring_core.gateway.errors import BudgetNotHeld


@dataclass(frozen=True, slots=True)
class TokenGatekeeper(forwarding.Gatekeeper):
    """Admits the calls of withering tokens. What cannot go on is not counted."""

    recognise: RecogniseToken
    open_key: OpenProviderKey
    charge: ChargeRequest

    async def admit(self, secret: str, provider: str) -> forwarding.Admission:
        found = await self.recognise(secret)
        if found.is_budgeted:
            raise BudgetNotHeld
        key = await self.open_key(found.project, provider)
        await self.charge(found)
        return forwarding.Admission(
            project=found.project,
            token_id=found.token,
            account=forwarding.ProviderAccount(provider=provider, secret=key),
        )
