"""Whom a call is sent to, one after the other, and what each of them gets."""

from asyncio import to_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from llmring_core.errors import LLMRingError
from llmring_core.gateway import Admission, NoProviderKey
from llmring_core.gateway.asking import asking
from llmring_core.gateway.caching import CacheableCall, account_of
from llmring_core.gateway.dialects import with_model
from llmring_core.gateway.forwarding import (
    Body,
    Call,
    Head,
    Route,
    UpstreamRequest,
    called,
    order,
    to_upstream,
    without_credential,
)
from llmring_core.ids import ProjectId
from llmring_http.gateway.parts import Forwarding

LARGE = 256 * 1024  # bytes of a body, beyond which looking at it keeps others waiting

Pair = tuple[bytes, bytes]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A provider to ask, and how."""

    call: Call
    body: bytes | None  # as its caller sent it, but for the model, where it is JSON
    request: UpstreamRequest
    account: str  # whose credential it carries; not the credential
    hides_usage: bool  # because its caller did not ask for it

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again, to whomever."""
        return isinstance(self.request.body, bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that keeps a provider's rules."""

    call: Call
    asking: bytes | None  # its body, changed so that usage is told; None: it stays


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A call as it came."""

    head: Head
    pairs: Sequence[Pair]  # its headers
    route: Route
    wanted: Wanted  # of the provider it is meant for
    body: bytes | None  # None unless it is JSON
    upload: Body  # what is sent when it is not
    length: int | None  # of that, where it was announced
    request_id: str


def looked_at(route: Route, head: Head, body: bytes | None) -> Wanted:
    """Return what the providers of ``route`` are asked for. Raises what ``called`` does."""
    call = called(route, head, body)
    return Wanted(call=call, asking=asking(call, body))


async def aside_if_large(body: bytes | None, work: Callable[[], Result]) -> Result:
    """Return what ``work`` does with ``body``, without keeping others waiting for it."""
    return await to_thread(work) if body is not None and len(body) > LARGE else work()


async def meant(
    parts: Forwarding, received: Received, admission: Admission
) -> tuple[Received, Planned]:
    """Return the call for the model its project means, and how to ask whom it is meant for.

    Raises: NoProviderKey, CannotUnseal, StoreUnavailable, and what ``called`` does.
    """
    received = await _resolved(parts, received, admission.project)
    return received, await _planned(parts, received, received.wanted, admission)


async def _resolved(parts: Forwarding, received: Received, project: ProjectId) -> Received:
    """Return the call for the model that ``project`` means; the same one where it is that."""
    named, body = received.wanted.call.model, received.body
    if named is None or body is None:
        return received
    model = await parts.resolve(project, named)
    if model == named:
        return received
    return await aside_if_large(body, partial(_renamed, received, body, model))


def _renamed(received: Received, body: bytes, model: str) -> Received:
    """Return the call with ``model`` in its body; a model in its address stays."""
    renamed = with_model(body, model)
    if renamed is None:
        return received
    wanted = looked_at(received.route, received.head, renamed)
    is_meant = wanted.call.model == model
    return replace(received, wanted=wanted, body=renamed) if is_meant else received


async def _planned(
    parts: Forwarding, received: Received, wanted: Wanted, admission: Admission
) -> Planned:
    call = wanted.call
    secret = await parts.open_key(admission.project, call.provider.name)
    body = received.upload if received.body is None else wanted.asking or received.body
    return Planned(
        call=call,
        body=received.body,
        request=UpstreamRequest(
            provider=call.provider,
            method=call.method,
            target=call.target,
            headers=to_upstream(
                received.pairs, call.provider.credential, secret, received.request_id
            ),
            body=body,
            length=len(body) if isinstance(body, bytes) else received.length,
        ),
        account=account_of(secret),
        hides_usage=wanted.asking is not None,
    )


async def planned_besides(
    parts: Forwarding, received: Received, first: Planned, admission: Admission
) -> list[Planned]:
    """Return how to ask the project's other providers, where ``first`` fails.

    Those that take such a call, and of which the project has a key. Raises CannotUnseal,
    StoreUnavailable.
    """
    plan: list[Planned] = []
    names = order(first.call.provider.name, admission.fallbacks)[1:]
    if names and first.is_repeatable:
        others = partial(_others, parts, received, names)
        for wanted in await aside_if_large(received.body, others):
            with suppress(NoProviderKey):
                plan.append(await _planned(parts, received, wanted, admission))
    return plan


def cacheable(received: Received, plan: Planned, project: ProjectId) -> CacheableCall:
    """Return the call as the cache knows it: with its caller's body, and all its provider gets."""
    upload = received.upload if isinstance(received.upload, bytes) else None
    provider = plan.call.provider
    return CacheableCall(
        project=project,
        provider=provider.name,
        account=plan.account,
        method=plan.call.method,
        path=plan.call.endpoint,
        query=received.head.query,
        headers=without_credential(plan.request.headers, provider.credential),
        body=upload if received.body is None else received.body,
    )


def _others(parts: Forwarding, received: Received, names: Sequence[str]) -> list[Wanted]:
    """Return the call as each of the providers of these names would get it, if it takes such."""
    found = []
    for name in names:
        provider = parts.providers.by_name.get(name)
        if provider is None:
            continue
        route = Route(endpoint=received.route.endpoint, candidates=(provider,))
        with suppress(LLMRingError):
            found.append(looked_at(route, received.head, received.body))
    return found
