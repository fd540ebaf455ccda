// KHR_materials_clearcoat: a dielectric GGX layer (ior 1.5) over everything, with a normal of its own.
float clearcoat_factor;
float clearcoat_roughness;
vec3 clearcoat_normal;
float clearcoat_NdotV;

void clearcoat_info(inout Surface s) {
    clearcoat_factor = u_clearcoatFactor;
#ifdef HAS_clearcoatTexture
    clearcoat_factor *= sample_clearcoatTexture().r;
#endif
    clearcoat_roughness = u_clearcoatRoughnessFactor;
#ifdef HAS_clearcoatRoughnessTexture
    clearcoat_roughness *= sample_clearcoatRoughnessTexture().g;
#endif
    clearcoat_roughness = clamp(clearcoat_roughness, MIN_ROUGHNESS, 1.0);
    clearcoat_normal = s.frame[2];
#ifdef HAS_clearcoatNormalTexture
    clearcoat_normal = mapped_normal(s.frame, sample_clearcoatNormalTexture().xyz, u_clearcoatNormalTextureScale);
#endif
    clearcoat_NdotV = clamp(dot(clearcoat_normal, s.view), 1e-3, 1.0);
}

#if !TRACING
void clearcoat_prepare(inout Surface s) {
    clearcoat_roughness = widened_roughness(clearcoat_roughness, clearcoat_normal);
}

// What the coat reflects of the environment and the punctual lights; albedo: its share of light from all around.
vec3 clearcoat_reflection(Surface s, vec4 dfg, float albedo) {
    vec3 sum = environment_lobe(clearcoat_normal, s.view, dfg) * albedo;
    sum *= specular_occlusion(clearcoat_NdotV, s.occlusion, clearcoat_roughness);
#if LIGHTS
    float alpha = clearcoat_roughness * clearcoat_roughness;
    for (int i = 0; i < int(u_cameraPosition.w); ++i) {
        vec3 l;
        vec3 irradiance = punctual(i, s, l);
        vec3 h = normalize(l + s.view);
        float NdotL = clamp(dot(clearcoat_normal, l), 0.0, 1.0);
        vec3 fresnel = F_Schlick(vec3(0.04), 1.0, clamp(dot(s.view, h), 0.0, 1.0));
        float d = D_GGX(alpha, clamp(dot(clearcoat_normal, h), 0.0, 1.0));
        sum += irradiance * fresnel * d * V_SmithGGX(alpha, clearcoat_NdotV, NdotL) * NdotL;
    }
#endif
    return sum;
}

vec4 clearcoat_layer(Surface s, vec4 below) {
    vec4 dfg = environment_dfg(clearcoat_NdotV, clearcoat_roughness);
    float albedo = directional_albedo(vec3(0.04), 1.0, dfg, clearcoat_roughness).r;
    vec3 coated = below.rgb * (1.0 - albedo) + clearcoat_reflection(s, dfg, albedo);
    return vec4(mix(below.rgb, coated, clearcoat_factor), below.a);
}
#endif
