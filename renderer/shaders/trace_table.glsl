// The table of materials that renderer/trace/material.py packs, and textures read through it.

layout(binding = 10) uniform samplerBuffer u_materials;
layout(binding = 3) uniform sampler2DArray u_srgbTextures;
layout(binding = 4) uniform sampler2DArray u_linearTextures;

int material; // of the surface that is looked at
vec2 v_texcoord0;
vec2 v_texcoord1;

vec4 material_row(int i) { return texelFetch(u_materials, material * MATERIAL_ROWS + i); }

bool has_flag(int bit) { return (int(material_row(MATERIAL_ROWS - 1).x) & bit) != 0; }

// Texture coordinates as the sampler wraps them: 0 repeats (the array texture does), 1 clamps, 2 mirrors.
float wrapped(float x, float wrap, float texel) {
    if (wrap > 1.5) x = 1.0 - abs(mod(x, 2.0) - 1.0);
    return wrap > 0.5 ? clamp(x, 0.5 * texel, 1.0 - 0.5 * texel) : x;
}

// use: layer (below 0: no texture), set of texture coordinates, wrapping; row0, row1: texture transform.
vec4 read_texture(sampler2DArray pictures, vec4 use, vec4 row0, vec4 row1, vec4 neutral) {
    vec3 at = vec3(use.y > 0.5 ? v_texcoord1 : v_texcoord0, 1.0);
    float texel = 1.0 / float(textureSize(pictures, 0).x);
    vec2 uv = vec2(wrapped(dot(row0.xyz, at), use.z, texel), wrapped(dot(row1.xyz, at), use.w, texel));
    return use.x < 0.0 ? neutral : textureLod(pictures, vec3(uv, use.x), 0.0);
}
