"""Forwarding's smaller ports, in this process."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from llmring_core.gateway.forwarding import (
    CLOSED,
    Breaker,
    Circuit,
    ResolveModel,
    entered,
    failed,
    left,
)
from llmring_core.ids import ProjectId

MAX_CIRCUITS = 10_000  # the least recently used one is forgotten, which lets its calls through


class MemoryBreaker(Breaker):
    """Circuits of this process; other servers find out by themselves."""

    def __init__(self, time_s: Callable[[], float] = monotonic) -> None:
        self._time_s = time_s
        self._circuits: OrderedDict[tuple[ProjectId, str], Circuit] = OrderedDict()

    def enter(self, project: ProjectId, provider: str) -> None:
        circuit = self._circuits.get((project, provider))
        if circuit is not None:  # most have never failed
            self._circuits[project, provider] = entered(circuit, self._time_s())

    def leave(self, project: ProjectId, provider: str, works: bool | None) -> None:
        name = (project, provider)
        if works:
            self._circuits.pop(name, None)
            return
        circuit = self._circuits.pop(name, CLOSED)
        circuit = left(circuit) if works is None else failed(circuit, self._time_s())
        if circuit != CLOSED:
            self._circuits[name] = circuit
            if len(self._circuits) > MAX_CIRCUITS:
                self._circuits.popitem(last=False)


class SameModel(ResolveModel):
    """Every name is the model's own."""

    async def __call__(self, project: ProjectId, model: str) -> str:
        del project
        return model
