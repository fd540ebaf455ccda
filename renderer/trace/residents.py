"""Posed models on the device, ready for tracing: a few at a time, prepared in the background if nobody should wait."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from renderer.gl.context import Context
from renderer.gl.tables import Table
from renderer.model import Model
from renderer.trace.prepare import Prepared, prepare
from renderer.view import View

#: Models kept; each holds its triangles and pictures once more.
MAX_RESIDENTS = 2
#: Models being prepared or waiting for it; who comes when all places are taken asks again.
MAX_WAITING = 4
#: Texels of a model's pictures together, on a GPU and on a software rasteriser; beyond that every one is halved.
_TEXELS, _TEXELS_SOFTWARE = 96 << 20, 48 << 20
_Key = tuple[Model, object, str | None]


class TracedScene:
    """One pose of one variant of a model on the device: `Prepared` as tables. Close to free it."""

    def __init__(self, context: Context, prepared: Prepared) -> None:
        """Raises DeviceError, with nothing left behind, when the device refuses."""
        self.features, self.slots = prepared.features, prepared.slots
        self.see_through, self.epsilon = prepared.see_through, prepared.epsilon
        self.tables: dict[str, Table] = {}
        self._stack = ExitStack()
        with ExitStack() as guard:
            guard.callback(self._stack.close)
            for name, rows in prepared.tables.items():
                table = Table(context, rows, f"{prepared.name}: traced {name}")
                self.tables[name] = self._stack.enter_context(table)
            context.check(f"upload of {prepared.name} for tracing")
            guard.pop_all()

    def close(self) -> None:
        """Frees every table."""
        self._stack.close()


class Residents:
    """Lives on the render thread; only `prepare`, which needs no device, runs elsewhere."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: OrderedDict[_Key, TracedScene] = OrderedDict()
        self._coming: dict[_Key, Future[Prepared]] = {}
        self._worker = ThreadPoolExecutor(1, "trace")

    def ready(self, model: Model, view: View) -> bool:
        """Whether this view of a model can be traced at once; if not, that is seen to.

        Raises what `prepare` does, once it is known.
        """
        key = _key(model, view)
        if key in self._kept:
            return True
        coming = self._coming.get(key)
        if coming is None and self._has_place():
            arguments = model.scene, model.pose(view.animation), view.variant
            self._coming[key] = self._worker.submit(prepare, *arguments, texels=self._texels())
        if coming is not None and coming.done():
            self._keep(key, self._coming.pop(key).result())
        return key in self._kept

    def scene(self, model: Model, view: View) -> TracedScene:
        """What rays meet in a view; waits until it is there. Raises what `prepare` does, and DeviceError."""
        key = _key(model, view)
        if key not in self._kept:
            coming = self._coming.pop(key, None)
            arguments = model.scene, model.pose(view.animation), view.variant
            self._keep(key, coming.result() if coming else prepare(*arguments, texels=self._texels()))
        self._kept.move_to_end(key)
        return self._kept[key]

    def forget(self, model: Model) -> None:
        """Frees what is kept of a model that goes."""
        for key in [key for key in self._kept if key[0] is model]:
            self._kept.pop(key).close()
        for key in [key for key in self._coming if key[0] is model]:
            self._coming.pop(key).cancel()

    def close(self) -> None:
        """Frees everything; waits for what is being prepared."""
        self._worker.shutdown(cancel_futures=True)
        while self._kept:
            self._kept.popitem()[1].close()

    def _has_place(self) -> bool:
        """Whether another may be prepared; what is done and was never asked for again makes room."""
        if len(self._coming) >= MAX_WAITING:
            done = [key for key, coming in self._coming.items() if coming.done()]
            for key in done[:1]:
                del self._coming[key]
        return len(self._coming) < MAX_WAITING

    def _keep(self, key: _Key, prepared: Prepared) -> None:
        made = TracedScene(self._context, prepared)
        if len(self._kept) >= MAX_RESIDENTS:
            self._kept.popitem(last=False)[1].close()
        self._kept[key] = made

    def _texels(self) -> int:
        return _TEXELS_SOFTWARE if self._context.info.software else _TEXELS


def _key(model: Model, view: View) -> _Key:
    return model, view.animation, view.variant
