// Light on a Surface: image-based with multiple scattering, and the punctual lights of KHR_lights_punctual.
#include "common_lights.glsl"

struct Lighting {
    vec3 diffuse;   // leaves the surface after scattering below it
    vec3 specular;  // reflected at the surface
};

// Occlusion of reflections from ambient occlusion: Lagarde and de Rousiers 2014, "Moving Frostbite to PBR", listing 26.
float specular_occlusion(float NdotV, float occlusion, float roughness) {
    return clamp(pow(NdotV + occlusion, exp2(-16.0 * roughness - 1.0)) - 1.0 + occlusion, 0.0, 1.0);
}

// Fdez-Agüera 2019, "A Multiple-Scattering Microfacet Model for Real-Time Image-based Lighting".
Lighting environment_light(Surface s) {
    vec2 dfg = environment_dfg(s.NdotV, s.roughness);
    vec3 single = s.f0 * dfg.x + s.f90 * dfg.y;
    float missing = 1.0 - (dfg.x + dfg.y);
    vec3 average = s.f0 + (vec3(s.f90) - s.f0) / 21.0;
    vec3 multiple = single * average * missing / (1.0 - average * missing);
    vec3 irradiance = environment_irradiance(s.normal);
    vec3 r = reflect(-s.view, s.normal);
    // The lobe of a rough surface leans towards the normal (Lagarde and de Rousiers 2014, listing 21).
    float smoothness = 1.0 - s.roughness * s.roughness;
    vec3 dominant = normalize(mix(s.normal, r, smoothness * (sqrt(smoothness) + 1.0 - smoothness)));
    float open = specular_occlusion(s.NdotV, s.occlusion, s.roughness);
    Lighting result;
    result.specular = single * environment_specular(dominant, s.roughness) * open + multiple * irradiance * s.occlusion;
    result.diffuse = s.albedo * (1.0 - single - multiple) * irradiance * s.occlusion;
    return result;
}

#if SHADOWS
#include "surface_shadow.glsl"
#endif

vec3 punctual(int i, Surface s, out vec3 l) {
    vec3 irradiance = unshadowed(i, s.position, l);
#if SHADOWS
    irradiance *= shadow(i, s.position, s.frame[2], l);
#endif
    return irradiance;
}

Lighting punctual_light(Surface s, vec3 l) {
    vec3 h = normalize(l + s.view);
    float NdotL = clamp(dot(s.normal, l), 0.0, 1.0);
    float alpha = s.roughness * s.roughness;
    vec3 fresnel = F_Schlick(s.f0, s.f90, clamp(dot(s.view, h), 0.0, 1.0));
    Lighting result;
    result.specular = fresnel * D_GGX(alpha, clamp(dot(s.normal, h), 0.0, 1.0)) * V_SmithGGX(alpha, s.NdotV, NdotL) * NdotL;
    result.diffuse = (1.0 - fresnel) * s.albedo * INV_PI * NdotL;
    return result;
}
