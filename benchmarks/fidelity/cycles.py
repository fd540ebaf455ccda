"""Companion: scenarios drawn by Blender's Cycles, through the package `bpy`. May run in a Python without ours.

Settings are those of the stored references: box filter of one pixel, 16 bounces, no clamping, caustics, denoised with
albedo and normals. glTF's axes (x, y, z) are Blender's (x, -z, y), and unrotated environments then agree.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import bpy
from mathutils import Vector

from benchmarks.companion import serve

_BOUNCES = 16
_MASK_SAMPLES = 4


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Draw a job; {"error": None} or what went wrong."""
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        # RAW: 1 lux gives a white Lambertian the radiance 1/π, 1 candela at 1 m likewise
        bpy.ops.import_scene.gltf(filepath=job["model"], export_import_convert_lighting_mode="RAW")
        _pose(job["animation"])
        _dress(job["variant"])
        _cover_bare_meshes()
        _light(job["environment"])
        _look(job)
        _settle()
        _render(job["picture"], job["samples"], transparent=not job["skybox"])
        if job["mask"]:
            _render(job["mask"], _MASK_SAMPLES, transparent=True)
            _keep_alpha(job["mask"])
    except (RuntimeError, OSError, KeyError, ValueError) as error:
        return {"error": " ".join(str(error).split())}
    return {"error": None}


def _pose(animation: list[float] | None) -> None:
    """Hold one animation of the file at a time, or the file's own pose."""
    wanted = None if animation is None else _animations()[int(animation[0])]
    for data in _animated():
        # not through the tracks themselves: their strips all begin at frame 1, whenever the animation's keys do
        data.use_nla = False
        data.action = None
        for strip in (strip for track in data.nla_tracks if track.name == wanted for strip in track.strips):
            data.action = strip.action
            data.action_slot = strip.action_slot
    scene = bpy.context.scene
    frame = 0.0 if animation is None else animation[1] * scene.render.fps / scene.render.fps_base
    scene.frame_set(math.floor(frame), subframe=frame % 1.0)


def _animations() -> list[str]:
    """Names of the file's animations in its order: the importer gives each a track of that name."""
    return list(dict.fromkeys(track.name for data in _animated() for track in data.nla_tracks))


def _animated() -> list[Any]:
    """Everything of the scene that an imported animation may hold."""
    owners: list[Any] = [*bpy.data.objects, *bpy.data.shape_keys, *bpy.data.materials, *bpy.data.lights]
    owners += [material.node_tree for material in bpy.data.materials if material.node_tree]
    return [owner.animation_data for owner in owners if owner.animation_data]


def _dress(variant: str | None) -> None:
    """Give every primitive the material of a variant (KHR_materials_variants), where it names one."""
    if variant is None:
        return
    names = [entry.name for entry in bpy.data.scenes[0].gltf2_KHR_materials_variants_variants]
    index = names.index(variant)
    for mesh in bpy.data.meshes:
        for entry in mesh.gltf2_variant_mesh_data:
            if any(listed.variant.variant_idx == index for listed in entry.variants):
                mesh.materials[entry.material_slot_index] = entry.material


def _cover_bare_meshes() -> None:
    """glTF's default material for primitives without one: white metal, rough."""
    bare = [mesh for mesh in bpy.data.meshes if not mesh.materials]
    if bare:
        material = bpy.data.materials.new("default")
        material.use_nodes = True
        inputs = material.node_tree.nodes["Principled BSDF"].inputs
        inputs["Base Color"].default_value = (1.0, 1.0, 1.0, 1.0)
        inputs["Metallic"].default_value = inputs["Roughness"].default_value = 1.0
        for mesh in bare:
            mesh.materials.append(material)


def _light(environment: str | None) -> None:
    world = bpy.data.worlds.new("scenario")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    if environment is None:
        background.inputs["Strength"].default_value = 0.0
        return
    node = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    node.image = bpy.data.images.load(environment)
    node.image.colorspace_settings.name = "Linear Rec.709"
    world.node_tree.links.new(node.outputs["Color"], background.inputs["Color"])


def _look(job: dict[str, Any]) -> None:
    scene = bpy.context.scene
    eye, target = (Vector((x, -z, y)) for x, y, z in (job["eye"], job["target"]))
    camera = bpy.data.cameras.new("scenario")
    holder = bpy.data.objects.new("scenario", camera)
    scene.collection.objects.link(holder)
    holder.location = eye
    holder.rotation_euler = (target - eye).to_track_quat("-Z", "Y").to_euler()
    camera.sensor_fit, camera.angle = "VERTICAL", math.radians(job["fov"])
    camera.clip_start, camera.clip_end = job["orbit"][2] / 100, job["orbit"][2] * 100
    scene.camera = holder
    scene.render.resolution_x, scene.render.resolution_y = job["width"], job["height"]
    scene.render.resolution_percentage = 100


def _settle() -> None:
    """Light transport and output."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.use_adaptive_sampling = "CPU", False
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = _BOUNCES
    cycles.transmission_bounces = cycles.transparent_max_bounces = cycles.volume_bounces = _BOUNCES
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.blur_glossy = 0.0
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 1.0
    cycles.denoiser, cycles.denoising_input_passes = "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "ACCURATE"
    scene.view_settings.view_transform, scene.display_settings.display_device = "Standard", "sRGB"
    output = scene.render.image_settings
    output.file_format, output.color_mode, output.color_depth = "PNG", "RGBA", "8"
    scene.render.dither_intensity = 0.0


def _render(path: str, samples: int, *, transparent: bool) -> None:
    scene = bpy.context.scene
    scene.cycles.samples, scene.cycles.use_denoising = samples, samples > _MASK_SAMPLES
    scene.render.film_transparent = transparent
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def _keep_alpha(path: str) -> None:
    """White where the picture covers anything, black elsewhere."""
    image = bpy.data.images.load(path)
    pixels = list(image.pixels)
    alpha = pixels[3::4]
    image.pixels = [part for a in alpha for part in ((1.0,) * 4 if a > 0 else (0.0, 0.0, 0.0, 1.0))]
    image.save()


if __name__ == "__main__":
    serve(nullcontext(answer))
