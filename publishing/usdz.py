"""A Scene as a USDZ for AR Quick Look: still geometry, UsdPreviewSurface, PNG and JPEG. Says what is lost.

Needs usd-core. Metres, +Y up, as the scene. The rest pose in the default variant is written: Quick Look offers a
shopper neither variants nor a choice of animations.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from publishing.usd_material import Materials
from renderer.deform import Placed, placed
from renderer.linalg import Matrix
from renderer.pose import Pose, pose_at
from renderer.scene import Mode, Primitive, Scene

if TYPE_CHECKING:
    from pxr import Usd

MAX_VERTICES = 3_000_000  # a phone shows no more; beyond it there is no USDZ
MISSING = "no USDZ: usd-core is not installed (pip install 'vitrine[ar]')"
_EPOCH = 315_619_200  # 1980-01-02, the first whole day that a zip can name anywhere
#: Of usd-core's validators, what concerns a package for Quick Look.
_VALIDATORS = ("usdGeomValidators:", "usdShadeValidators:", "usdUtilsValidators:", "usdValidation:")


@dataclass(frozen=True, slots=True)
class ArFile:
    """path: the USDZ, None when none was made. notes: what it cannot say of the model, or why there is none."""

    path: Path | None
    notes: tuple[str, ...] = ()


def make_usdz(scene: Scene, path: Path) -> ArFile:
    """Writes `path`. A model that USD cannot say, or a package that its own checks refuse, gives no file and a note."""
    try:
        from pxr import UsdUtils
    except ImportError:
        return ArFile(None, (MISSING,))
    meshes = [node.mesh for node in scene.nodes if node.mesh is not None]
    vertices = sum(len(one.positions) for mesh in meshes for one in _triangles(scene, mesh))
    if not 0 < vertices <= MAX_VERTICES:
        return ArFile(None, (f"no USDZ: {vertices:,} vertices of triangles; 1 to {MAX_VERTICES:,} can be shown",))
    with tempfile.TemporaryDirectory(prefix="vitrine-usd-") as folder:
        layer = Path(folder) / "model.usdc"
        notes = _write_stage(scene, layer)
        for file in layer.parent.iterdir():
            os.utime(file, (_EPOCH, _EPOCH))  # the package dates its entries: the same scene gives the same bytes
        if not UsdUtils.CreateNewUsdzPackage(str(layer), str(path)):
            path.unlink(missing_ok=True)
            return ArFile(None, ("no USDZ: USD could not make the package",))
    wrong = check(path)
    if wrong:
        path.unlink(missing_ok=True)
        return ArFile(None, (f"no USDZ: its check says {wrong[0]}",))
    return ArFile(path, notes)


def check(path: Path) -> tuple[str, ...]:
    """What USD's own validators say against a package: one line each, none when all is well."""
    from pxr import Usd, UsdUtils

    if hasattr(UsdUtils, "ComplianceChecker"):  # until USD 26.05
        checker = UsdUtils.ComplianceChecker(arkit=True)
        checker.CheckCompliance(str(path))
        return tuple(map(str, (*checker.GetErrors(), *checker.GetFailedChecks())))
    from pxr import UsdValidation

    registry = UsdValidation.ValidationRegistry()
    names = [data.name for data in registry.GetAllValidatorMetadata() if data.name.startswith(_VALIDATORS)]
    context = UsdValidation.ValidationContext([registry.GetOrLoadValidatorByName(name) for name in names])
    return tuple(error.GetErrorAsString() for error in context.Validate(Usd.Stage.Open(str(path))))


def _write_stage(scene: Scene, layer: Path) -> tuple[str, ...]:
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(layer))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, "/Model")
    stage.SetDefaultPrim(root.GetPrim())
    root.GetPrim().SetMetadata("kind", "component")
    UsdGeom.Scope.Define(stage, "/Model/Materials")
    materials = Materials(stage, scene, layer.parent)
    pose = pose_at(scene, None)
    for index, node in enumerate(scene.nodes):
        if node.mesh is not None and not pose.hidden[index]:
            _write_node(stage, scene, pose, index, _triangles(scene, node.mesh), materials)
    stage.GetRootLayer().Save()
    return (*_left_out(scene), *materials.notes)


def _write_node(
    stage: Usd.Stage, scene: Scene, pose: Pose, node: int, primitives: Sequence[Primitive], materials: Materials
) -> None:
    """One node's primitives, in its own space where nothing bends them: equal arrays are then stored once."""
    from pxr import Gf, UsdGeom

    bent = scene.nodes[node].skin is not None or bool(np.any(pose.weights.get(node, 0.0)))
    place = UsdGeom.Xform.Define(stage, f"/Model/Node{node}")
    if not bent:
        place.AddTransformOp().Set(Gf.Matrix4d(*_columns(pose.world[node])))
    for number, one in enumerate(primitives):
        shape = placed(scene, pose, node, one) if bent else _own(one)
        _write_mesh(stage, f"/Model/Node{node}/Mesh{number}", one, shape, materials)


def _write_mesh(stage: Usd.Stage, path: str, primitive: Primitive, shape: Placed, materials: Materials) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, Vt

    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    points = Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(shape.positions))
    mesh.CreatePointsAttr(points)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    count = len(primitive.indices) // 3
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(count, 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(primitive.indices[: count * 3].astype(np.int32)))
    if shape.normals is not None:
        mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(shape.normals)))
        mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    primvars = UsdGeom.PrimvarsAPI(mesh)
    for number, texcoords in enumerate(shape.texcoords):
        flipped = np.stack([texcoords[:, 0], 1.0 - texcoords[:, 1]], axis=1).astype(np.float32)  # v points up in USD
        name = "st" if number == 0 else f"st{number}"
        primvar = primvars.CreatePrimvar(name, Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
        primvar.Set(Vt.Vec2fArray.FromNumpy(flipped))
    use = materials.use(primitive, shape.colors)
    if use.colors is not None:
        mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(Vt.Vec3fArray.FromNumpy(use.colors))
    mesh.CreateDoubleSidedAttr(use.double_sided)
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(use.material)


def _own(primitive: Primitive) -> Placed:
    return Placed(primitive.positions, primitive.normals, primitive.tangents, primitive.texcoords, primitive.colors)


def _columns(world: Matrix) -> list[float]:
    """A column-vector matrix as the sixteen numbers of USD's, whose vectors are rows."""
    return [float(value) for value in world.T.reshape(-1)]


def _triangles(scene: Scene, mesh: int) -> list[Primitive]:
    return [one for one in scene.meshes[mesh].primitives if one.mode == Mode.TRIANGLES and len(one.indices) >= 3]


def _left_out(scene: Scene) -> tuple[str, ...]:
    """What of a scene is not written at all."""
    notes = []
    if any(one.mode != Mode.TRIANGLES for mesh in scene.meshes for one in mesh.primitives):
        notes.append("points and lines are left out")
    if scene.animations:
        notes.append(f"{len(scene.animations)} animations are left out; the rest pose is shown")
    if len(scene.variants) > 1:
        notes.append(f"only the default of {len(scene.variants)} variants is shown")
    if scene.lights:
        notes.append("the model's own lights are left out")
    return tuple(notes)
