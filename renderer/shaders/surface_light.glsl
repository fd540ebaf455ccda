// Light on a Surface: image-based with multiple scattering, and the punctual lights of KHR_lights_punctual.
#include "common_lights.glsl"

// Defined by hooks.glsl: what extensions put in the place of the surface's own reflection.
vec3 hooks_reflection(Surface s, vec3 radiance);
float hooks_lobe(Surface s, vec3 l, vec3 h, float lobe);

// Roughness with what the normal does within a pixel: Tokuyoshi and Kaplanyan 2019, "Improved Geometric Specular
// Antialiasing"; a pixel has σ = 0.25, and no more is added than their bound.
float widened_roughness(float roughness, vec3 normal) {
    vec3 dx = dFdx(normal), dy = dFdy(normal);
    float kernel = min(0.125 * (dot(dx, dx) + dot(dy, dy)), 0.18);
    float alpha = roughness * roughness;
    return sqrt(sqrt(alpha * alpha + kernel));
}

struct Lighting {
    vec3 diffuse;   // leaves the surface after scattering below it
    vec3 specular;  // reflected at the surface
};

#if SKY
float sky_mirrored; // what see_sky() says about reflections
#endif

// Occlusion of reflections from ambient occlusion: Lagarde and de Rousiers 2014, "Moving Frostbite to PBR", listing 26.
float specular_occlusion(float NdotV, float occlusion, float roughness) {
#if SKY
    return sky_mirrored;
#endif
    return clamp(pow(NdotV + occlusion, exp2(-16.0 * roughness - 1.0)) - 1.0 + occlusion, 0.0, 1.0);
}

// How the energy of light divides at a surface; the same for light from everywhere and from a point.
struct Balance {
    vec4 lobe;      // environment_dfg()
    vec3 reflected; // share of light from all around that the surface reflects
    vec3 multiple;  // factor on single reflections that adds the multiple ones
    float below;    // share that enters what is not metal
};
Balance balance;

// Light from all around that a lobe with this Fresnel reflectance sends to the eye.
vec3 directional_albedo(vec3 f0, float f90, vec4 lobe, float roughness) {
    return (f0 * lobe.x + f90 * lobe.y) * multiple_scattering(f0, f90, lobe.x + lobe.y, roughness);
}

Balance surface_balance(Surface s) {
    vec4 lobe = environment_dfg(s.NdotV, s.roughness);
    vec3 outer = directional_albedo(s.dielectric, s.dielectric90, lobe, s.roughness);
    vec3 metal = directional_albedo(s.metal, 1.0, lobe, s.roughness);
    vec3 reflected = mix(outer, metal, s.metallic);
    // One share for all colours, so that no colour comes out of what the surface keeps (KHR_materials_specular).
    float below = 1.0 - max(outer.r, max(outer.g, outer.b));
    return Balance(lobe, reflected, reflected / max(s.f0 * lobe.x + s.f90 * lobe.y, 1e-6), max(below, 0.0));
}

// Light from the environment in a lobe that is wider along `tangent` than across: microfacets spread over `count` equal
// shares of the slopes of GGX along the tangent, each with an isotropic lobe for what is left of the spread.
vec3 stretched_reflection(Surface s, vec3 tangent, vec2 alpha, int count) {
    vec3 sum = vec3(0.0);
    float weights = 0.0;
    for (int k = 0; k < count; ++k) {
        float u = (2.0 * float(k) + 1.0) / float(count) - 1.0; // slopes have the distribution 0.5 + 0.5 x / √(1 + x²)
        float across = 1.0 / sqrt(1.0 - u * u);
        vec3 h = normalize(s.normal + tangent * (alpha.x * u * across));
        vec3 l = reflect(-s.view, h);
        float NdotL = dot(s.normal, l);
        if (NdotL <= 0.0) continue;
        float gap = alpha.x * across * across * across * 2.0 / float(count); // to the next share
        float width = sqrt(alpha.y * alpha.y + 0.12 * gap * gap);
        float weight = NdotL * clamp(dot(s.view, h), 0.0, 1.0)
            * V_SmithGGX(alpha.x, s.NdotV, NdotL); // what the slopes' density leaves of f cosθ
        sum += environment_specular(l, sqrt(min(width, 1.0))) * weight;
        weights += weight;
    }
    return sum / max(weights, 1e-5);
}

// The same of the isotropic surface. Seen obliquely its lobe in directions of light is 1 / NdotV times as long as wide.
vec3 environment_reflection(Surface s) {
#if STRETCHED
    if (s.NdotV < 0.6 && s.roughness > 0.1 && s.roughness < 0.75) {
        float alpha = s.roughness * s.roughness;
        vec3 across = s.view - s.normal * dot(s.normal, s.view);
        return stretched_reflection(s, normalize(across), alpha * vec2(1.0, s.NdotV), 3);
    }
#endif
    return environment_lobe(s.normal, s.view, balance.lobe);
}

Lighting environment_light(Surface s) {
    float open = specular_occlusion(s.NdotV, s.occlusion, s.roughness);
    Lighting result;
    result.specular = balance.reflected * hooks_reflection(s, environment_reflection(s)) * open;
    result.diffuse = s.albedo * balance.below * environment_irradiance(s.normal) * s.occlusion;
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
    float lobe = D_GGX(alpha, clamp(dot(s.normal, h), 0.0, 1.0)) * V_SmithGGX(alpha, s.NdotV, NdotL);
    Lighting result;
    result.specular = fresnel * balance.multiple * hooks_lobe(s, l, h, lobe) * NdotL;
    result.diffuse = s.albedo * balance.below * INV_PI * NdotL;
    return result;
}
