// Filters radiance with the GGX lobe of one roughness, view = normal = reflection (Karis 2013), by filtered importance
// sampling: each sample reads the mip level that holds its solid angle (Křivánek and Colbert 2008).
#include "common_cube.glsl"
#include "common_brdf.glsl"
#include "common_sampling.glsl"

layout(binding = 0) uniform samplerCube u_radiance;
uniform int u_face;
uniform float u_roughness;
uniform int u_samples;
uniform float u_size; // of a face of u_radiance, texels
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    vec3 n = cube_direction(u_face, v_uv * 2.0 - 1.0);
    mat3 frame = basis(n);
    float alpha = u_roughness * u_roughness;
    float texel = 4.0 * PI / (6.0 * u_size * u_size);
    vec3 sum = vec3(0.0);
    float weight = 0.0;
    for (uint i = 0u; i < uint(u_samples); ++i) {
        vec3 h = sample_ggx(hammersley(i, uint(u_samples)), alpha);
        vec3 l = vec3(2.0 * h.z * h.xy, 2.0 * h.z * h.z - 1.0);
        if (l.z <= 0.0) continue;
        float density = D_GGX(alpha, h.z) * 0.25; // NdotH / (4 VdotH), and V = N
        float lod = 0.5 * log2(1.0 / (float(u_samples) * density * texel));
        sum += textureLod(u_radiance, frame * l, max(lod, 0.0)).rgb * l.z;
        weight += l.z;
    }
    o_color = vec4(sum / weight, 1.0);
}
