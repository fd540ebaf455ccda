// Resamples an equirectangular picture to one face of a cube map, 4×4 points a texel.
#include "common_cube.glsl"
#include "common_equirect.glsl"

layout(binding = 0) uniform sampler2D u_equirect;
uniform int u_face;
uniform float u_texel; // size of a texel in uv
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 16; ++i) {
        vec2 offset = (vec2(i & 3, i >> 2) + 0.5) * 0.25 - 0.5;
        vec3 direction = cube_direction(u_face, (v_uv + offset * u_texel) * 2.0 - 1.0);
        sum += textureLod(u_equirect, equirect_uv(direction), 0.0).rgb;
    }
    o_color = vec4(min(sum / 16.0, vec3(65000.0)), 1.0); // 65504 is the largest half float
}
