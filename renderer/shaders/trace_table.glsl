// The table of materials that renderer/trace/material.py packs, and pictures of any size read through it.

layout(binding = 10) uniform samplerBuffer u_materials;
layout(binding = 3) uniform samplerBuffer u_srgbTexels; // already linear
layout(binding = 4) uniform samplerBuffer u_linearTexels;

int material; // of the surface that is looked at
vec2 v_texcoord0;
vec2 v_texcoord1;

vec4 material_row(int i) { return texelFetch(u_materials, material * MATERIAL_ROWS + i); }

bool has_flag(int bit) { return (int(material_row(MATERIAL_ROWS - 1).x) & bit) != 0; }

// Texel i of a side of `size`, where the sampler repeats (0), clamps (1) or mirrors (2).
float wrapped(float i, float size, float mode) {
    if (mode == 1.0) return clamp(i, 0.0, size - 1.0);
    float period = mode == 2.0 ? 2.0 * size : size;
    i -= period * floor(i / period);
    return i < size ? i : 2.0 * size - 1.0 - i;
}

// The picture of the slot whose two rows begin at `row`; row0, row1: its texture transform.
vec4 read_texture(samplerBuffer texels, int row, vec4 row0, vec4 row1, vec4 neutral) {
    vec4 where = material_row(row), how = material_row(row + 1); // offset, size | set, wrapping, nearest
    if (where.z == 0.0) return neutral;
    vec3 at = vec3(how.x > 0.5 ? v_texcoord1 : v_texcoord0, 1.0);
    vec2 p = vec2(dot(row0.xyz, at), dot(row1.xyz, at)) * where.zw - (how.w > 0.5 ? 0.0 : 0.5);
    vec2 low = floor(p), share = how.w > 0.5 ? vec2(0.0) : p - low;
    int first = int(where.x) * 4096 + int(where.y);
    ivec2 x = ivec2(wrapped(low.x, where.z, how.y), wrapped(low.x + 1.0, where.z, how.y));
    ivec2 y = ivec2(wrapped(low.y, where.w, how.z), wrapped(low.y + 1.0, where.w, how.z)) * int(where.z) + first;
    return mix(mix(texelFetch(texels, x.x + y.x), texelFetch(texels, x.y + y.x), share.x),
               mix(texelFetch(texels, x.x + y.y), texelFetch(texels, x.y + y.y), share.x), share.y);
}
