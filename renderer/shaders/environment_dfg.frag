// What a lobe makes of light from all around, over (NdotV, roughness); lower half GGX, upper half Charlie's sheen.
// x, y: the two terms of the split sum (Karis 2013, "Real Shading in Unreal Engine 4"), with the correlated Smith term
// of common_brdf.glsl. z, w: where in the filtered cube the lobe's light is found: the lookup has the lobe's mean
// direction, and the level whose kernel is as wide. A filter that takes view = normal = reflection knows neither.
#include "common_brdf.glsl"
#include "common_sampling.glsl"

uniform float u_width[SPECULAR_LEVELS]; // length of the mean direction of each level's kernel, falling
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

float level_as_wide_as(float width) {
    for (int k = 1; k < SPECULAR_LEVELS; ++k)
        if (width > u_width[k]) return float(k - 1) + (u_width[k - 1] - width) / (u_width[k - 1] - u_width[k]);
    return float(SPECULAR_LEVELS - 1);
}

// How far from the normal (0) to the mirror direction (1) the mean direction of the lobe lies.
float bend(vec3 v, vec3 mean) {
    float tangent = mean.x / max(mean.z, 1e-4);
    return tangent / (-v.x + tangent * (1.0 - v.z));
}

void main() {
    bool sheen = v_uv.y > 0.5;
    float row = fract(v_uv.y * 2.0) * float(DFG_SIZE) - 0.5; // the first is for roughness 0, the last for 1
    float roughness = row / float(DFG_SIZE - 1);
    float alpha = max(roughness * roughness, 1e-4);
    float NdotV = clamp(v_uv.x, 1e-3, 0.9995);
    vec3 v = vec3(sqrt(1.0 - NdotV * NdotV), 0.0, NdotV);
    vec2 sum = vec2(0.0);
    vec3 mean = vec3(0.0);
    for (uint i = 0u; i < uint(SAMPLES); ++i) {
        vec2 u = hammersley(i / 2u, uint(SAMPLES / 2));
        u.x += 0.5 * float(i & 1u); // opposite pairs: at normal incidence no direction may win
        vec3 l;
        vec2 weight;
        if (sheen) {
            l = vec3(cos(2.0 * PI * u.x) * sqrt(1.0 - u.y * u.y), sin(2.0 * PI * u.x) * sqrt(1.0 - u.y * u.y), u.y);
            float NdotH = normalize(l + v).z;
            weight = vec2(2.0 * PI * sheen_facets(alpha, NdotH) * sheen_visibility(alpha, NdotV, max(l.z, 1e-4)) * l.z, 0.0);
        } else {
            vec3 h = sample_ggx(u, alpha);
            float VdotH = max(dot(v, h), 0.0);
            l = 2.0 * VdotH * h - v;
            if (l.z <= 0.0) continue;
            float fresnel = pow(1.0 - VdotH, 5.0);
            weight = vec2(1.0 - fresnel, fresnel) * V_SmithGGX(alpha, NdotV, l.z) * 4.0 * l.z * VdotH / max(h.z, 1e-5);
        }
        sum += weight;
        mean += l * (weight.x + weight.y);
    }
    mean /= max(sum.x + sum.y, 1e-6);
    o_color = vec4(sum / float(SAMPLES), bend(v, mean), level_as_wide_as(length(mean)) / float(SPECULAR_LEVELS - 1));
}
