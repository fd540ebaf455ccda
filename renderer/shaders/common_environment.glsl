// Image-based light, filtered beforehand by renderer/passes/environment.py.
layout(binding = 0) uniform samplerCube u_specular;   // GGX-filtered radiance, roughness along the mip levels
layout(binding = 1) uniform samplerCube u_irradiance; // irradiance / π
layout(binding = 2) uniform sampler2D u_dfg;          // split-sum terms (scale, bias) over (NdotV, roughness)

// Level ↔ roughness: more levels where highlights are sharp. Inverse of environment_specular.frag's.
float specular_lod(float roughness) {
    return float(SPECULAR_LEVELS - 1) * roughness * (2.0 - roughness);
}

vec3 environment_specular(vec3 direction, float roughness) {
    return textureLod(u_specular, direction, specular_lod(roughness)).rgb * u_cameraForward.w;
}

vec3 environment_irradiance(vec3 normal) {
    return textureLod(u_irradiance, normal, 0.0).rgb * u_cameraForward.w;
}

// Karis 2013, "Real Shading in Unreal Engine 4": ∫ f cosθ = f0 · x + f90 · y.
vec2 environment_dfg(float NdotV, float roughness) {
    return textureLod(u_dfg, vec2(NdotV, roughness), 0.0).rg;
}
