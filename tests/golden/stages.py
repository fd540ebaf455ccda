"""What golden images show: small scenes made by code, a sky made by code, and the views of them. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.scene import (
    Image,
    Light,
    Material,
    Mesh,
    Mode,
    MorphTarget,
    Node,
    Primitive,
    Scene,
    Skin,
    Texture,
    TextureInfo,
)
from renderer.view import Orbit, View
from tests.gl.scenes import globe

SKY = "golden sky"
VIEW = View(
    Orbit(20.0, 70.0, 6.0),
    (0.0, 0.0, 0.0),
    fov=30.0,
    width=128,
    height=128,
    environment=SKY,
    tone_mapping="none",
    background=(0.5, 0.5, 0.5),
)
Values = float | tuple[float, ...]


def sky() -> NDArray[np.float32]:
    """Float32 [64, 128, 3]: blue above, brown below, a window and a sun, so that no two directions look alike."""
    v, u = np.mgrid[:64, :128].astype(np.float32) + 0.5
    height = np.cos(v / 64 * np.pi)[..., None]
    above, below = np.array([0.35, 0.5, 0.9]), np.array([0.3, 0.22, 0.15])
    pixels = np.where(height > 0, above + (1 - above) * (1 - height) ** 2, below * (1 + 0.5 * height))
    pixels[18:28, 84:104] = (3.0, 2.6, 2.0)
    pixels[10:13, 30:33] = (60.0, 52.0, 40.0)
    return pixels.astype(np.float32)


def paint(**values: Values) -> Material:
    """A material by its glTF factors; its features follow from them."""
    features = {e.feature for e in MATERIAL_EXTENSIONS.values() if e.factors.keys() & values.keys()}
    factors = {key: value if isinstance(value, tuple) else (value,) for key, value in values.items()}
    return Material(factors={"metallicFactor": (0.0,), **factors}, features=frozenset(features))


def plate(half: float, height: float, material: int) -> Primitive:
    """A horizontal square that faces up."""
    x, z = np.array([-1, 1, 1, -1]) * half, np.array([1, 1, -1, -1]) * half
    positions = np.stack([x, np.full(4, height), z], axis=1).astype(np.float32)
    normals = np.tile(np.array([0, 1, 0], np.float32), (4, 1))
    coordinates = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    return Primitive(
        Mode.TRIANGLES, positions, np.array([0, 1, 2, 0, 2, 3], np.uint32), material, normals, texcoords=(coordinates,)
    )


def scene(primitives: Sequence[Primitive], materials: Sequence[Material], nodes: Sequence[Node] = ()) -> Scene:
    """A mesh for each primitive, and a node for each mesh unless nodes are given."""
    meshes = tuple(Mesh(f"mesh {i}", (primitive,)) for i, primitive in enumerate(primitives))
    placed = tuple(nodes) or tuple(Node(f"node {i}", -1, mesh=i) for i in range(len(meshes)))
    return Scene("golden", placed, meshes, tuple(materials))


def balls(*materials: Material, columns: int = 2, floor: bool = False) -> Scene:
    """Balls of 0.45 m in a grid before the camera, one for each material; floor: on a chequered plate."""
    rows = -(-len(materials) // columns)
    primitives = [replace(globe(), material=index) for index in range(len(materials))]
    nodes = []
    for index in range(len(materials)):
        x, y = index % columns - (columns - 1) / 2, (rows - 1) / 2 - index // columns
        nodes.append(Node(f"ball {index}", -1, translation=(x, y, 0.0), scale=(0.45, 0.45, 0.45), mesh=index))
    if not floor:
        return scene(primitives, materials, nodes)
    nodes.append(Node("floor", -1, mesh=len(materials)))
    chequered = replace(paint(roughnessFactor=0.8), textures={"baseColorTexture": TextureInfo(0)})
    made = scene([*primitives, plate(2.0, -0.5, len(materials))], [*materials, chequered], nodes)
    return replace(made, images=(chequers(),), textures=(Texture(0),))


def chequers() -> Image:
    """8 × 8 fields in two colours."""
    fields = (np.indices((64, 64)) // 8).sum(axis=0) % 2
    colours = np.array([[200, 200, 190, 255], [60, 80, 110, 255]], np.uint8)
    return Image("chequers", colours[fields])


# ---------------------------------------------------------------- one scene for each subject


def metal_rough() -> Scene:
    """Metal above, plastic below, from polished to rough."""
    steel = [paint(baseColorFactor=(0.95, 0.7, 0.4, 1.0), metallicFactor=1.0, roughnessFactor=r) for r in (0, 0.4, 1)]
    plastic = [paint(baseColorFactor=(0.1, 0.4, 0.7, 1.0), roughnessFactor=r) for r in (0.0, 0.4, 1.0)]
    return balls(*steel, *plastic, columns=3)


def textured() -> Scene:
    """Base colour with a transform, normals, occlusion and roughness, emission."""
    y, x = np.mgrid[:64, :64] / 64
    waves = np.stack([0.5 + 0.3 * np.sin(x * 50), 0.5 + 0.3 * np.sin(y * 50), np.full_like(x, 0.95)], axis=-1)
    orm = np.stack([0.4 + 0.6 * x, 0.1 + 0.8 * y, (x > 0.5) * 1.0], axis=-1)
    glow = np.stack([(x * 8 % 1 < 0.1) * 1.0, (y * 8 % 1 < 0.1) * 1.0, 0 * x], axis=-1)
    images = [chequers(), *(_image(name, pixels) for name, pixels in (("waves", waves), ("orm", orm), ("glow", glow)))]
    slots = {
        "baseColorTexture": TextureInfo(0, offset=(0.1, 0.2), rotation=0.5, scale=(2.0, 1.0)),
        "normalTexture": TextureInfo(1),
        "metallicRoughnessTexture": TextureInfo(2),
        "occlusionTexture": TextureInfo(2),
        "emissiveTexture": TextureInfo(3),
    }
    body = replace(paint(metallicFactor=1.0, emissiveFactor=(1.0, 1.0, 1.0)), textures=slots)
    made = scene([globe()], [body])
    return replace(made, images=tuple(images), textures=tuple(Texture(index) for index in range(4)))


def lamps() -> Scene:
    """A white floor with balls under a sun, a lamp and a spot."""
    made = balls(paint(roughnessFactor=0.6), paint(metallicFactor=1.0, roughnessFactor=0.3), floor=True)
    down, slanted, above = np.eye(4), np.eye(4), np.eye(4)
    down[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # -Z looks down
    slanted[:3, :3] = _turn(0.5) @ down[:3, :3]
    above[:3, 3] = (0.8, 1.0, 0.8)
    down[:3, 3] = (-0.8, 1.5, 0.6)
    lights = (
        Light("sun", "directional", (1.0, 0.95, 0.9), 2.0),
        Light("lamp", "point", (1.0, 0.3, 0.2), 2.0, range=5.0),
        Light("spot", "spot", (0.2, 0.4, 1.0), 6.0, innerConeAngle=0.2, outerConeAngle=0.4),
    )
    places = (slanted, above, down)
    holders = [Node(light.name, -1, matrix=places[i], light=i) for i, light in enumerate(lights)]
    return replace(made, lights=lights, nodes=(*made.nodes, *holders))


def layers() -> Scene:
    """Cut-out and blended balls before and behind each other."""
    holes = replace(paint(), alphaMode="MASK", doubleSided=True, textures={"baseColorTexture": TextureInfo(1)})
    red = replace(paint(baseColorFactor=(0.9, 0.1, 0.1, 0.5), roughnessFactor=0.2), alphaMode="BLEND")
    green = replace(paint(baseColorFactor=(0.1, 0.8, 0.2, 0.4)), alphaMode="BLEND", doubleSided=True)
    made = balls(holes, red, green, paint(baseColorFactor=(0.2, 0.3, 0.9, 1.0)), floor=True)
    closer = [replace(node, translation=tuple(np.multiply(node.translation, 0.6).tolist())) for node in made.nodes[:4]]
    sieve = chequers().pixels.copy()
    sieve[..., 3] = np.where(sieve[..., 0] > 100, 255, 0)
    images, textures = (*made.images, Image("sieve", sieve)), (*made.textures, Texture(1))
    return replace(made, nodes=(*closer, made.nodes[4]), images=images, textures=textures)


def skinned() -> Scene:
    """A tube over two bones, the upper one bent; beside it a ball half way to a morph target."""
    y, around = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 17), np.linspace(0, 2 * np.pi, 25), indexing="ij"))
    normals = np.stack([np.cos(around), 0 * y, -np.sin(around)], axis=1).astype(np.float32)
    positions = (normals * 0.25 + np.stack([0 * y, y, 0 * y], axis=1)).astype(np.float32)
    corner = (np.arange(16)[:, None] * 25 + np.arange(24)).reshape(-1, 1)
    faces = (corner + np.array([0, 1, 25, 1, 26, 25])).astype(np.uint32)
    upper = np.clip(y * 1.5 + 0.5, 0, 1)
    tube = Primitive(
        Mode.TRIANGLES,
        positions,
        faces.ravel(),
        0,
        normals,
        joints=np.tile(np.array([0, 1], np.uint16), (len(y), 1)),
        weights=np.stack([1 - upper, upper], axis=1).astype(np.float32),
    )
    sphere = globe()
    squeezed = MorphTarget(positions=(sphere.positions * np.float32([0.6, -0.6, 0.0])).astype(np.float32))
    morphed = replace(sphere, material=1, targets=(squeezed,))
    nodes = (
        Node("lower", -1, translation=(-0.6, 0.0, 0.0)),
        Node("upper", 0, rotation=(0.0, 0.0, -0.38268343, 0.92387953)),
        Node("tube", -1, mesh=0, skin=0),
        Node("ball", -1, translation=(0.7, 0.0, 0.0), scale=(0.5, 0.5, 0.5), mesh=1, weights=(0.5,)),
    )
    materials = (replace(paint(baseColorFactor=(0.8, 0.5, 0.1, 1.0)), doubleSided=True), paint(roughnessFactor=0.2))
    skin = Skin("two bones", np.array([0, 1], np.intp), np.tile(np.eye(4), (2, 1, 1)))
    return replace(scene([tube, morphed], materials, nodes), skins=(skin,))


def shapes() -> Scene:
    """A mirrored ball, vertex colours, lines and points."""
    tinted = replace(
        globe(), colors=np.concatenate([0.5 + 0.5 * globe().positions, np.ones((len(globe().positions), 1))], 1)
    )
    tinted = replace(tinted, colors=np.asarray(tinted.colors, np.float32))
    angles = np.linspace(0, 8 * np.pi, 200)
    spiral = np.stack([np.cos(angles), angles / 12 - 1, np.sin(angles)], axis=1).astype(np.float32)
    order = np.arange(200, dtype=np.uint32)
    bright = replace(paint(baseColorFactor=(1.0, 0.8, 0.1, 1.0)), features=frozenset({"UNLIT"}))
    nodes = (
        Node("mirrored", -1, translation=(-0.5, 0.0, 0.0), scale=(-0.45, 0.6, 0.45), mesh=0),
        Node("lines", -1, translation=(0.6, 0.0, 0.0), scale=(0.4, 0.8, 0.4), mesh=1),
        Node("points", -1, scale=(0.9, 0.9, 0.9), mesh=2),
    )
    lines, points = (Primitive(mode, spiral, order, 1) for mode in (Mode.LINE_STRIP, Mode.POINTS))
    return scene([tinted, lines, points], (paint(roughnessFactor=0.5), bright), nodes)


#: Each material extension: plain beside it, weak, strong, and over or in something else.
EXTENDED: dict[str, tuple[Material, ...]] = {
    "KHR_materials_unlit": (replace(paint(baseColorFactor=(0.8, 0.3, 0.1, 1.0)), features=frozenset({"UNLIT"})),),
    "KHR_materials_emissive_strength": (
        paint(emissiveFactor=(0.1, 0.3, 0.1), emissiveStrength=1.0),
        paint(emissiveFactor=(0.1, 0.3, 0.1), emissiveStrength=3.0),
    ),
    "KHR_materials_ior": tuple(
        paint(baseColorFactor=(0.05, 0.1, 0.3, 1.0), roughnessFactor=0.1, ior=i) for i in (1.0, 2.4)
    ),
    "KHR_materials_specular": (
        paint(baseColorFactor=(0.1, 0.1, 0.1, 1.0), roughnessFactor=0.2, specularFactor=0.3),
        paint(baseColorFactor=(0.1, 0.1, 0.1, 1.0), roughnessFactor=0.2, specularColorFactor=(1.0, 0.2, 4.0)),
    ),
    "KHR_materials_iridescence": (
        paint(roughnessFactor=0.1, baseColorFactor=(0.1, 0.1, 0.1, 1.0), iridescenceFactor=1.0),
        paint(roughnessFactor=0.2, metallicFactor=1.0, iridescenceFactor=1.0, iridescenceThicknessMaximum=600.0),
    ),
    "KHR_materials_anisotropy": (
        paint(roughnessFactor=0.3, metallicFactor=1.0, anisotropyStrength=0.9),
        paint(roughnessFactor=0.3, metallicFactor=1.0, anisotropyStrength=0.9, anisotropyRotation=1.2),
    ),
    "KHR_materials_transmission": tuple(
        paint(baseColorFactor=(0.7, 0.9, 0.8, 1.0), roughnessFactor=r, transmissionFactor=0.9) for r in (0.0, 0.5)
    ),
    "KHR_materials_volume": tuple(
        paint(
            roughnessFactor=0.0,
            transmissionFactor=1.0,
            thicknessFactor=t,
            attenuationDistance=0.5,
            attenuationColor=(0.9, 0.4, 0.2),
        )
        for t in (0.2, 2.0)
    ),
    "KHR_materials_dispersion": (
        paint(roughnessFactor=0.0, transmissionFactor=1.0, thicknessFactor=2.0, ior=1.7, dispersion=3.0),
    ),
    "KHR_materials_diffuse_transmission": tuple(
        paint(diffuseTransmissionFactor=f, diffuseTransmissionColorFactor=(0.9, 0.5, 0.3)) for f in (0.4, 1.0)
    ),
    "KHR_materials_sheen": tuple(
        paint(baseColorFactor=(0.3, 0.02, 0.05, 1.0), sheenColorFactor=(1.0, 0.7, 0.8), sheenRoughnessFactor=r)
        for r in (0.2, 0.7)
    ),
    "KHR_materials_clearcoat": (
        paint(baseColorFactor=(0.5, 0.02, 0.02, 1.0), clearcoatFactor=1.0),
        paint(metallicFactor=1.0, roughnessFactor=0.6, clearcoatFactor=1.0, clearcoatRoughnessFactor=0.3),
    ),
}


def extended(name: str) -> Scene:
    """Balls with one extension on the chequered floor, which shows what glass does."""
    return balls(*EXTENDED[name], floor=True)


def everything() -> Scene:
    """One ball with every extension but unlit, every factor of it half way."""
    extensions = [e for e in MATERIAL_EXTENSIONS.values() if e.feature != "UNLIT"]
    declared = {key: factor for extension in extensions for key, factor in extension.factors.items()}
    factors = {key: tuple(0.5 * value + 0.25 for value in factor.default) for key, factor in declared.items()}
    return scene([globe()], [paint(baseColorFactor=(0.8, 0.5, 0.2, 1.0), roughnessFactor=0.3, **factors)])


def _image(name: str, pixels: NDArray[np.float64]) -> Image:
    """pixels: [H, W, 3] in 0..1."""
    opaque = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=2)
    return Image(name, np.ascontiguousarray(np.rint(opaque * 255).astype(np.uint8)))


def _turn(angle: float) -> NDArray[np.float64]:
    """Rotation about +Z, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
