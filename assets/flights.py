"""One run of a piece of work for all threads of a process that want its result at the same time. Keeps no results."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    result: Future[T] = field(default_factory=Future)
    _listeners: list[Progress] = field(default_factory=list)
    _latest: tuple[int, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, progress: Progress) -> None:
        with self._lock:
            self._listeners.append(progress)
            latest = self._latest
        if latest is not None:
            progress(*latest)

    def tell(self, done: int, total: int) -> None:
        with self._lock:
            self._latest = (done, total)
            listeners = tuple(self._listeners)
        for progress in listeners:
            progress(done, total)


@dataclass(eq=False, slots=True)
class Flights(Generic[T]):
    """Work that is being done, by key. As many at once as there are threads that ask."""

    _flying: dict[str, _Flight[T]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(self, key: str, progress: Progress | None, work: Callable[[Progress], T]) -> T:
        """What `work` returns or raises. The first thread does it, those that come meanwhile wait for it.

        All that gave a `progress` are told, on the thread that works; who comes later hears at once how far it is.
        """
        with self._lock:
            flight = self._flying.get(key)
            first = flight is None
            if flight is None:
                flight = self._flying[key] = _Flight()
        if progress is not None:
            flight.listen(progress)
        if first:
            self._fly(key, flight, work)
        return flight.result.result()

    def _fly(self, key: str, flight: _Flight[T], work: Callable[[Progress], T]) -> None:
        try:
            result = work(flight.tell)
        except BaseException as error:
            self._land(key)
            flight.result.set_exception(error)
        else:
            self._land(key)
            flight.result.set_result(result)

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flying[key]
