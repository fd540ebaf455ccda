// KHR_materials_sheen: the lobe of cloth fibres, over everything but a clear coat.
vec3 sheen_color;
float sheen_roughness; // perceptual

// Below this the lobe is a line along the silhouette, thinner than a pixel.
const float MIN_SHEEN_ROUGHNESS = 0.07;

void sheen_info(inout Surface s) {
    sheen_color = u_sheenColorFactor.rgb;
#ifdef HAS_sheenColorTexture
    sheen_color *= sample_sheenColorTexture().rgb;
#endif
    sheen_roughness = u_sheenRoughnessFactor;
#ifdef HAS_sheenRoughnessTexture
    sheen_roughness *= sample_sheenRoughnessTexture().a;
#endif
    sheen_roughness = clamp(sheen_roughness, MIN_SHEEN_ROUGHNESS, 1.0);
}

#if !TRACING
vec3 sheen_reflection_of_lights(Surface s) {
    vec3 sum = vec3(0.0);
#if LIGHTS
    float alpha = sheen_roughness * sheen_roughness;
    for (int i = 0; i < int(u_cameraPosition.w); ++i) {
        vec3 l;
        vec3 irradiance = punctual(i, s, l);
        float NdotL = dot(s.normal, l);
        if (NdotL <= 1e-4) continue;
        float facets = sheen_facets(alpha, clamp(dot(s.normal, normalize(l + s.view)), 0.0, 1.0));
        sum += irradiance * facets * sheen_visibility(alpha, s.NdotV, NdotL) * NdotL;
    }
#endif
    return sum;
}

// The base keeps what the cloth does not take: "Albedo-scaling technique" of the extension.
vec4 sheen_layer(Surface s, vec4 below) {
    vec4 lobe = environment_sheen(s.NdotV, sheen_roughness);
    vec3 light = environment_lobe(s.normal, s.view, lobe) * lobe.x * s.occlusion + sheen_reflection_of_lights(s);
    float taken = lobe.x * max(sheen_color.r, max(sheen_color.g, sheen_color.b));
    return vec4(below.rgb * (1.0 - min(taken, 1.0)) + sheen_color * light, below.a);
}
#endif
