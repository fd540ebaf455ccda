// Image-based light, filtered beforehand by renderer/passes/environment.py.
layout(binding = 0) uniform samplerCube u_specular;   // GGX-filtered radiance, roughness along the mip levels
layout(binding = 1) uniform samplerCube u_irradiance; // irradiance / π
layout(binding = 2) uniform sampler2D u_dfg;          // what lobes make of light from all around

// Level ↔ roughness: more levels where highlights are sharp. Inverse of _roughness() in passes/environment.py.
float specular_lod(float roughness) {
    return float(SPECULAR_LEVELS - 1) * roughness * (1.7 - 0.7 * roughness);
}

vec3 environment_specular(vec3 direction, float roughness) {
    return textureLod(u_specular, direction, specular_lod(roughness)).rgb * u_cameraForward.w;
}

vec3 environment_irradiance(vec3 normal) {
    return textureLod(u_irradiance, normal, 0.0).rgb * u_cameraForward.w;
}

// environment_dfg.frag's table. x, y: ∫ f cosθ = f0 · x + f90 · y; z, w: see environment_lobe().
vec4 environment_dfg(float NdotV, float roughness) {
    float v = (clamp(roughness, 0.0, 1.0) * float(DFG_SIZE - 1) + 0.5) / float(DFG_SIZE);
    return textureLod(u_dfg, vec2(NdotV, 0.5 * v), 0.0);
}

// The same for sheen; x alone is its directional albedo.
vec4 environment_sheen(float NdotV, float roughness) {
    float v = (clamp(roughness, 0.0, 1.0) * float(DFG_SIZE - 1) + 0.5) / float(DFG_SIZE);
    return textureLod(u_dfg, vec2(NdotV, 0.5 + 0.5 * v), 0.0);
}

// Mean radiance in the lobe of table entry `dfg`.
vec3 environment_lobe(vec3 normal, vec3 view, vec4 dfg) {
    vec3 direction = mix(normal, reflect(-view, normal), dfg.z);
    return textureLod(u_specular, direction, dfg.w * float(SPECULAR_LEVELS - 1)).rgb * u_cameraForward.w;
}
