"""The registry of extensions: for a material's a pair of files beside this one and a line here, for others a file."""

from __future__ import annotations

from renderer.extensions.core import CORE
from renderer.extensions.declaration import Factor, FileExtension, MaterialExtension, TextureSlot
from renderer.extensions.ext_mesh_gpu_instancing import EXTENSION as MESH_GPU_INSTANCING
from renderer.extensions.ext_meshopt_compression import EXTENSION as EXT_MESHOPT
from renderer.extensions.ext_texture_avif import EXTENSION as TEXTURE_AVIF
from renderer.extensions.ext_texture_webp import EXTENSION as TEXTURE_WEBP
from renderer.extensions.khr_animation_pointer import EXTENSION as ANIMATION_POINTER
from renderer.extensions.khr_draco_mesh_compression import EXTENSION as DRACO
from renderer.extensions.khr_lights_punctual import EXTENSION as LIGHTS_PUNCTUAL
from renderer.extensions.khr_materials_anisotropy import EXTENSION as ANISOTROPY
from renderer.extensions.khr_materials_clearcoat import EXTENSION as CLEARCOAT
from renderer.extensions.khr_materials_diffuse_transmission import EXTENSION as DIFFUSE_TRANSMISSION
from renderer.extensions.khr_materials_dispersion import EXTENSION as DISPERSION
from renderer.extensions.khr_materials_emissive_strength import EXTENSION as EMISSIVE_STRENGTH
from renderer.extensions.khr_materials_ior import EXTENSION as IOR
from renderer.extensions.khr_materials_iridescence import EXTENSION as IRIDESCENCE
from renderer.extensions.khr_materials_pbr_specular_glossiness import EXTENSION as SPECULAR_GLOSSINESS
from renderer.extensions.khr_materials_sheen import EXTENSION as SHEEN
from renderer.extensions.khr_materials_specular import EXTENSION as SPECULAR
from renderer.extensions.khr_materials_transmission import EXTENSION as TRANSMISSION
from renderer.extensions.khr_materials_unlit import EXTENSION as UNLIT
from renderer.extensions.khr_materials_variants import EXTENSION as VARIANTS
from renderer.extensions.khr_materials_volume import EXTENSION as VOLUME
from renderer.extensions.khr_mesh_quantization import EXTENSION as MESH_QUANTIZATION
from renderer.extensions.khr_meshopt_compression import EXTENSION as MESHOPT
from renderer.extensions.khr_node_visibility import EXTENSION as NODE_VISIBILITY
from renderer.extensions.khr_texture_basisu import EXTENSION as TEXTURE_BASISU
from renderer.extensions.khr_texture_transform import EXTENSION as TEXTURE_TRANSFORM
from renderer.extensions.khr_xmp_json_ld import EXTENSION as XMP

__all__ = [
    "CORE",
    "FILE_EXTENSIONS",
    "MATERIAL_EXTENSIONS",
    "Factor",
    "FileExtension",
    "MaterialExtension",
    "TextureSlot",
]

#: By name in the file; the order is the order of layers, innermost first.
MATERIAL_EXTENSIONS: dict[str, MaterialExtension] = {
    e.name: e
    for e in (
        UNLIT,
        EMISSIVE_STRENGTH,
        IOR,
        SPECULAR,
        IRIDESCENCE,
        ANISOTROPY,
        VOLUME,
        DISPERSION,
        DIFFUSE_TRANSMISSION,
        TRANSMISSION,
        SHEEN,
        CLEARCOAT,
    )
}

#: By name in the file; of two that give a texture's picture, the later wins.
FILE_EXTENSIONS: dict[str, FileExtension] = {
    e.name: e
    for e in (
        LIGHTS_PUNCTUAL,
        VARIANTS,
        TEXTURE_TRANSFORM,
        TEXTURE_BASISU,
        TEXTURE_AVIF,
        TEXTURE_WEBP,
        MESH_QUANTIZATION,
        DRACO,
        EXT_MESHOPT,
        MESHOPT,
        SPECULAR_GLOSSINESS,
        XMP,
        NODE_VISIBILITY,
        MESH_GPU_INSTANCING,
        ANIMATION_POINTER,
    )
}
