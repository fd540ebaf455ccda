"""A wristwatch: steel case under a sapphire crystal, sunray dial, stitched strap; its hands run (glTF animation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo import lines, shapes, textures
from demo.glb import Document, Part
from demo.lines import Array
from demo.shapes import Mesh
from demo.watch_dial import DATE_SIZE, DATE_X, Dial
from demo.watch_strap import buckle, strap

_DIAL = 0.0161  # radius, m
_TILT = 16.0  # degrees that the dial leans back
_PERIOD = 3600.0  # seconds of the animation: after an hour second and minute hand are where they began
_START = (10, 9, 36)  # the hour, minute and second it shows at rest


@dataclass(frozen=True, slots=True)
class _Edition:
    name: str
    dial: tuple[str, str]
    print: str
    leather: tuple[str, str, str]
    thread: str


_EDITIONS = (
    _Edition("Midnight blue", ("#0d1f3d", "#2f5288"), "#e9ecf0", ("#4a2815", "#7d4a28", "#a06a40"), "#d9c7a6"),
    _Edition("Silver", ("#8b8c8d", "#cbcac7"), "#23262b", ("#111112", "#1f1f21", "#333335"), "#77746e"),
    _Edition("Salmon", ("#b98367", "#efcdb8"), "#2b1d18", ("#2c2622", "#463d36", "#61564d"), "#b9ab98"),
)


def build(title: str) -> bytes:
    """The product as a GLB."""
    document = Document(title, [edition.name for edition in _EDITIONS])
    steel, polished = _steel(document)
    leathers, threads, dials = _leathers(document), _threads(document), _dials(document)
    band, stitches = strap()
    upright = [shapes.join(_case()), shapes.join([*_polished_parts(), *buckle()]), band, stitches, _dial(), _crystal()]
    body, root = _stand(document, upright)
    first = _EDITIONS[0].name
    parts = [
        Part(body[0], steel),
        Part(body[1], polished),
        Part(body[2], leathers[first], leathers),
        Part(body[3], threads[first], threads),
        Part(body[4], dials[first], dials),
    ]
    document.add("Watch", parts)
    _hands(document, polished, root)
    document.add("Crystal", [Part(body[5], _sapphire(document))])
    return document.to_bytes()


def _stand(document: Document, meshes: list[Mesh]) -> tuple[list[Mesh], int]:
    """The meshes leaned back and stood on the strap, and the node that does the same for the hands."""
    leaned = [mesh.turned("x", -_TILT) for mesh in meshes]
    stood = shapes.standing(leaned)
    shift = [float(value) for value in stood[0].position[0] - leaned[0].position[0]]
    half = np.radians(-_TILT / 2)
    return stood, document.node(
        "Hands", translation=shift, rotation=[float(np.sin(half)), 0.0, 0.0, float(np.cos(half))]
    )


# ---- materials ----
def _steel(document: Document) -> tuple[int, int]:
    """Brushed for the flanks, polished for bezel, hands and indices."""
    brushing = textures.brushed(512, 201)
    packed = document.texture(textures.jpeg(textures.surface(0.26 + 0.22 * brushing, metallic=1.0)))
    relief = document.texture(textures.jpeg(textures.normals(brushing, 0.5)))
    color = [*textures.linear("#b9babd"), 1.0]
    brushed = document.material(
        "Brushed steel",
        {
            "pbrMetallicRoughness": {"baseColorFactor": color, "metallicRoughnessTexture": {"index": packed}},
            "normalTexture": {"index": relief},
        },
    )
    base = {"baseColorFactor": [*textures.linear("#c6c6c9"), 1.0], "metallicFactor": 1.0, "roughnessFactor": 0.09}
    return brushed, document.material("Polished steel", {"pbrMetallicRoughness": base})


def _sapphire(document: Document) -> int:
    base = {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.0}
    glass = {"KHR_materials_transmission": {"transmissionFactor": 1.0}}
    return document.material("Sapphire", {"pbrMetallicRoughness": base}, glass)


def _leathers(document: Document) -> dict[str, int]:
    height, crease = textures.leather(1024, 6400, 211)
    relief = document.texture(textures.jpeg(textures.normals(height, 2.2), 84))
    patina = textures.noise(1024, 4, 212, octaves=4)
    rough = textures.surface(0.46 + 0.14 * patina + 0.2 * crease)
    packed = document.texture(textures.jpeg(rough[::2, ::2], 84))
    made = {}
    for edition in _EDITIONS:
        color = textures.ramp(np.clip(0.5 + 0.22 * (patina - 0.5) - 0.4 * crease, 0, 1), edition.leather)
        base = {
            "baseColorTexture": {"index": document.texture(textures.jpeg(color[::2, ::2], 84))},
            "metallicRoughnessTexture": {"index": packed},
            "metallicFactor": 0.0,
        }
        properties = {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}}
        made[edition.name] = document.material(f"{edition.name} strap", properties)
    return made


def _threads(document: Document) -> dict[str, int]:
    made = {}
    for edition in _EDITIONS:
        color = [*textures.linear(edition.thread), 1.0]
        base = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": 0.8}
        made[edition.name] = document.material(f"{edition.name} thread", {"pbrMetallicRoughness": base})
    return made


# ---- dial ----
def _dials(document: Document) -> dict[str, int]:
    dial = Dial()
    relief = document.texture(textures.jpeg(dial.relief(), 88))
    packed = document.texture(textures.jpeg(dial.surface(), 90))
    made = {}
    for edition in _EDITIONS:
        picture = document.texture(textures.jpeg(dial.color(edition.dial, edition.print), 92))
        base = {"baseColorTexture": {"index": picture}, "metallicRoughnessTexture": {"index": packed}}
        properties = {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}}
        made[edition.name] = document.material(f"{edition.name} dial", properties)
    return made


def _dial() -> Mesh:
    ring = shapes.cap(lines.circle(_DIAL + 0.0003, 96), 0.0, True)
    return shapes.Mesh(ring.position, ring.normal, ring.position[:, :2] / _DIAL * [0.5, -0.5] + 0.5, ring.index)


# ---- case ----
def _facing(mesh: Mesh) -> Mesh:
    """A mesh made about +y turned so that its axis is +z, the way the dial looks."""
    return mesh.turned("x", 90)


def _case() -> list[Mesh]:
    """Case back, flank and lugs: what is brushed."""
    profile = lines.fillet(
        [
            [0.0, -0.0062],
            [0.0165, -0.0062],
            [0.0178, -0.0052],
            [0.0192, -0.0046],
            [0.0200, -0.0034],
            [0.0200, 0.0004],
            [0.0197, 0.0007],
        ],
        [0, 0.0004, 0.0006, 0.0005, 0.0006, 0.0003, 0],
    )
    case = _facing(shapes.revolve(profile, 128)).with_uv(1.0, 40.0)
    return [case, *(lug for lug in _lugs())]


def _lugs() -> list[Mesh]:
    """Four horns that curve down to the strap (outline in −z, y; thickness along x)."""
    outline = lines.fillet(
        [
            [0.0058, 0.0146],
            [0.0070, 0.0205],
            [0.0090, 0.0220],
            [0.0080, 0.0248],
            [0.0040, 0.0242],
            [0.0002, 0.0192],
            [0.0002, 0.0146],
        ][::-1],
        [0, 0.004, 0.0015, 0.0012, 0.006, 0.0015, 0][::-1],
        closed=True,
    )
    if _area(outline) < 0:
        outline = outline[::-1]
    lug = shapes.extrude(outline, 0.0030, 0.0005).turned("y", 90).moved(x=0.0102).with_uv(40, 40)
    right = [lug, lug.mirrored()]
    return [*right, *(part.turned("z", 180) for part in right)]


def _area(outline: Array) -> float:
    after = np.roll(outline, -1, axis=0)
    return float(np.sum(outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0])) / 2


def _polished_parts() -> list[Mesh]:
    bezel = lines.fillet(
        [[0.0199, 0.0004], [0.0199, 0.0011], [0.0184, 0.0025], [0.0173, 0.0026], [0.0171, 0.0018], [_DIAL, -0.0001]],
        [0, 0.0004, 0.0005, 0.0003, 0.0002, 0],
    )
    return [_facing(shapes.revolve(bezel, 128)), *_indices(), *_crown(), _date_frame()]


def _indices() -> list[Mesh]:
    """Applied batons, doubled at twelve and shortened beside the date."""
    bars = []
    for hour in range(12):
        length = 0.0016 if hour == 3 else 0.0042
        offsets = (-0.00085, 0.00085) if hour == 0 else (0.0,)
        for x in offsets:
            outline = lines.rounded_rectangle(0.0011, length, 0.00030, steps=3)
            bar = shapes.extrude(outline, 0.00055, 0.00022, steps=2)
            bars.append(bar.moved(x=x, y=0.0139 - length / 2).turned("z", -30.0 * hour))
    return bars


def _date_frame() -> Mesh:
    loop = lines.rounded_rectangle(DATE_SIZE[0] * _DIAL, DATE_SIZE[1] * _DIAL, 0.0003, steps=4)
    path = np.column_stack([loop + [DATE_X * _DIAL, 0.0], np.full(len(loop), 0.0001)])
    return shapes.sweep(path, lines.circle(0.00013, 8), up=(0, 0, 1), closed=True)


def _crown() -> list[Mesh]:
    """A fluted crown at three o'clock on its tube."""
    head = shapes.knob(0.0032, 0.0034, 0.0004, 30, 0.00022).turned("y", 90).moved(x=0.0207, z=-0.0016)
    tube = (
        shapes.revolve(lines.fillet([[0.0019, 0.0], [0.0019, 0.0016]], 0), 32)
        .turned("z", -90)
        .moved(x=0.0193, z=-0.0016)
    )
    return [head, tube]


def _crystal() -> Mesh:
    dome = np.linspace(0.0166, 0.0, 14)
    arc = np.column_stack([dome, 0.0032 - 0.0005 * (dome / 0.0166) ** 2])
    edge = np.array([[0.0174, 0.0022], [0.01735, 0.0025]])
    return _facing(shapes.revolve(np.concatenate([edge, arc]), 96))


# ---- hands ----
def _hands(document: Document, polished: int, parent: int) -> None:
    lacquer = document.material(
        "Orange lacquer",
        {
            "pbrMetallicRoughness": {
                "baseColorFactor": [*textures.linear("#c9542c"), 1.0],
                "metallicFactor": 0.2,
                "roughnessFactor": 0.3,
            }
        },
    )
    hour, minute, second = _START
    turns = {
        "Hour hand": (_baton(0.0090, 0.00175), polished, 0.00085, (hour + minute / 60) * 30, 30.0),
        "Minute hand": (_baton(0.0134, 0.00140), polished, 0.00130, (minute + second / 60) * 6, 360.0),
        "Second hand": (_needle(), lacquer, 0.00175, second * 6.0, 360.0 * 60),
    }
    tracks = {}
    for name, (mesh, material, level, start, travel) in turns.items():
        seconds, quaternions = _rotation(start, travel)
        rest = [float(value) for value in quaternions[0]]
        node = document.add(name, [Part(mesh, material)], parent=parent, translation=[0.0, 0.0, level], rotation=rest)
        tracks[node] = (seconds, quaternions)
    document.animation("Time", tracks)


def _rotation(start: float, travel: float) -> tuple[Array, Array]:
    """Keys of a steady clockwise turn about +z: each at most a third of a turn on, so that it cannot go astray."""
    count = max(1, int(np.ceil(travel / 120.0)))
    t = np.linspace(0, 1, count + 1)
    half = np.radians(-(start + travel * t) / 2)
    zero = np.zeros_like(half)
    return t * _PERIOD, np.column_stack([zero, zero, np.sin(half), np.cos(half)])


def _baton(length: float, width: float) -> Mesh:
    """A dauphine hand: a ridge runs from its hub to its point."""
    outline = np.array(
        [
            [0.0, -0.0030],
            [width / 2, 0.0012],
            [width * 0.42, length * 0.55],
            [0.00012, length],
            [-0.00012, length],
            [-width * 0.42, length * 0.55],
            [-width / 2, 0.0012],
        ]
    )
    outline = lines.fillet(outline, [0.0006, 0.0008, 0.01, 0.0, 0.0, 0.01, 0.0008], closed=True, steps=4)
    blade = shapes.extrude(outline, 0.00034, 0.00012, steps=2).moved(z=-0.00017)
    return shapes.join([blade, _hub(0.00125, 0.0002)])


def _needle() -> Mesh:
    outline = np.array(
        [
            [0.00045, -0.0052],
            [0.00028, 0.0],
            [0.00009, 0.0148],
            [-0.00009, 0.0148],
            [-0.00028, 0.0],
            [-0.00045, -0.0052],
        ]
    )
    blade = shapes.extrude(outline, 0.00022, 0.00005, steps=2).moved(z=-0.00011)
    weight = shapes.extrude(lines.circle(0.00095, 40), 0.00024, 0.00006, steps=2).moved(y=-0.0050, z=-0.00012)
    return shapes.join([blade, weight, _hub(0.00085, 0.00045)])


def _hub(radius: float, top: float) -> Mesh:
    profile = lines.fillet([[radius, -0.0004], [radius, top], [0.0, top + 0.00012]], [0, 0.0002, 0], steps=4)
    return _facing(shapes.revolve(profile, 40))
