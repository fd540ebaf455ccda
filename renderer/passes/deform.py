"""Makes the vertices of deforming shapes for a pose, on the device; every later pass sees plain vertices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from renderer.forming import Plan, PoseTable
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import ComputeProgram
from renderer.gl.tables import Table
from renderer.pose import Pose
from renderer.upload_geometry import Formed


class DeformPass:
    """What one model's shapes are made of. Borrows the vertex buffers that it fills."""

    def __init__(self, context: Context, name: str, poses: PoseTable, forming: Sequence[tuple[Formed, Plan]]) -> None:
        """Raises DeviceError when the device cannot index that much, with nothing left behind."""
        self.formed = tuple(formed for formed, _ in forming)
        self._poses = poses
        with ExitStack() as stack:
            self._pose = stack.enter_context(
                Table(context, np.zeros((poses.texels, 4), np.float32), f"{name}: joints and weights")
            )
            self._steps = [_Step(context, name, stack, *each) for each in forming]
            self._stack = stack.pop_all()

    def run(self, pose: Pose) -> None:
        """Queues the work for a pose; its time on the processor does not grow with the number of vertices."""
        self._pose.write(self._poses.rows(pose))
        for step in self._steps:
            step.run(self._pose)

    def close(self) -> None:
        """Frees tables and programs."""
        self._stack.close()


class _Step:
    """The shapes of one vertex layout: one dispatch."""

    def __init__(self, context: Context, name: str, stack: ExitStack, formed: Formed, plan: Plan) -> None:
        self._formed, self._groups = formed, plan.groups
        self._program = stack.enter_context(ComputeProgram(context, "deform.comp", plan.defines))
        self._program.set(u_jobs=plan.groups)
        data = {"plan": plan.table, "vertices": plan.source, "influences": plan.influences, "targets": plan.morphs}
        self._tables = [stack.enter_context(Table(context, array, f"{name}: {kind}")) for kind, array in data.items()]

    def run(self, pose: Table) -> None:
        draw.use(self._program.name)
        draw.bind_textures(dict(enumerate([*self._tables, pose])))
        draw.bind_storage(0, self._formed.positions)
        draw.bind_storage(1, self._formed.records)
        draw.dispatch(self._groups)
