// Irradiance / π around each direction: cosine-weighted points, each reading the mip level of its solid angle.
#include "common_cube.glsl"
#include "common_sampling.glsl"

layout(binding = 0) uniform samplerCube u_radiance;
uniform int u_face;
uniform float u_size;
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    mat3 frame = basis(cube_direction(u_face, v_uv * 2.0 - 1.0));
    float texel = 4.0 * PI / (6.0 * u_size * u_size);
    vec3 sum = vec3(0.0);
    for (uint i = 0u; i < uint(SAMPLES); ++i) {
        vec2 u = hammersley(i, uint(SAMPLES));
        float cosine = sqrt(1.0 - u.y);
        vec3 l = vec3(cos(2.0 * PI * u.x) * sqrt(u.y), sin(2.0 * PI * u.x) * sqrt(u.y), cosine);
        float lod = 0.5 * log2(PI / (max(cosine, 1e-3) * float(SAMPLES) * texel)) + 0.5;
        sum += textureLod(u_radiance, frame * l, max(lod, 0.0)).rgb;
    }
    o_color = vec4(sum / float(SAMPLES), 1.0);
}
