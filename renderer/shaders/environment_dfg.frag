// The two terms of the split sum over (NdotV, roughness): Karis 2013, with the correlated Smith term of common_brdf.glsl.
#include "common_brdf.glsl"
#include "common_sampling.glsl"

in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    float NdotV = max(v_uv.x, 1e-3);
    float alpha = max(v_uv.y * v_uv.y, 1e-4);
    vec3 v = vec3(sqrt(1.0 - NdotV * NdotV), 0.0, NdotV);
    vec2 sum = vec2(0.0);
    for (uint i = 0u; i < uint(SAMPLES); ++i) {
        vec3 h = sample_ggx(hammersley(i, uint(SAMPLES)), alpha);
        float VdotH = max(dot(v, h), 0.0);
        float NdotL = 2.0 * VdotH * h.z - v.z;
        if (NdotL <= 0.0) continue;
        float visible = V_SmithGGX(alpha, NdotV, NdotL) * 4.0 * NdotL * VdotH / max(h.z, 1e-5);
        float fresnel = pow(1.0 - VdotH, 5.0);
        sum += vec2(1.0 - fresnel, fresnel) * visible;
    }
    o_color = vec4(sum / float(SAMPLES), 0.0, 1.0);
}
