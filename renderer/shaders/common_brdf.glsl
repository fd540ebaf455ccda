// The glTF 2.0 material model, specification appendix B.
#include "common_constants.glsl"

// Schlick 1994, "An Inexpensive BRDF Model for Physically-based Rendering".
vec3 F_Schlick(vec3 f0, float f90, float cosine) {
    float m = clamp(1.0 - cosine, 0.0, 1.0);
    float m2 = m * m;
    return f0 + (vec3(f90) - f0) * (m2 * m2 * m);
}

// Walter et al. 2007, "Microfacet Models for Refraction through Rough Surfaces" (GGX); alpha = roughness².
float D_GGX(float alpha, float NdotH) {
    float a2 = alpha * alpha;
    float f = (NdotH * a2 - NdotH) * NdotH + 1.0;
    return a2 * INV_PI / (f * f);
}

// Heitz 2014, "Understanding the Masking-Shadowing Function in Microfacet-Based BRDFs": height-correlated Smith,
// already divided by 4 NdotL NdotV.
float V_SmithGGX(float alpha, float NdotV, float NdotL) {
    float a2 = alpha * alpha;
    float l = NdotV * sqrt(NdotL * NdotL * (1.0 - a2) + a2);
    float v = NdotL * sqrt(NdotV * NdotV * (1.0 - a2) + a2);
    return 0.5 / max(l + v, 1e-5);
}

// Estevez and Kulla 2017, "Production Friendly Microfacet Sheen BRDF": the distribution ("Charlie").
float sheen_facets(float alpha, float NdotH) {
    float sine2 = max(1.0 - NdotH * NdotH, 0.0078125);
    float inverse = 1.0 / alpha;
    return (2.0 + inverse) * pow(sine2, 0.5 * inverse) * 0.5 * INV_PI;
}

// Its masking, by their fit: curves for α = 0 and α = 1, blended.
float charlie_lambda(float alpha, float cosine) {
    float t = (1.0 - alpha) * (1.0 - alpha);
    vec2 ab = mix(vec2(21.5473, 3.82987), vec2(25.3245, 3.32435), t);
    vec3 cde = mix(vec3(0.19823, -1.97760, -4.32054), vec3(0.16801, -1.27393, -4.85967), t);
    float x = cosine < 0.5 ? cosine : 1.0 - cosine;
    float curve = ab.x / (1.0 + ab.y * pow(max(x, 1e-4), cde.x)) + cde.y * x + cde.z;
    float middle = ab.x / (1.0 + ab.y * pow(0.5, cde.x)) + cde.y * 0.5 + cde.z;
    return exp(cosine < 0.5 ? curve : 2.0 * middle - curve);
}

float sheen_visibility(float alpha, float NdotV, float NdotL) {
    float both = 1.0 + charlie_lambda(alpha, NdotV) + charlie_lambda(alpha, NdotL);
    return 1.0 / (both * 4.0 * NdotV * NdotL);
}

// Kulla and Conty 2017, "Revisiting Physically Based Shading at Imageworks": light that a rough surface reflects more than
// once, as a factor on what it reflects once. albedo: ∫ of the lobe with a Fresnel term of 1.
vec3 multiple_scattering(vec3 f0, float f90, float albedo, float roughness) {
    float r = roughness;
    float average = 1.0 - r * r * (-0.2561 + r * (2.0781 - r * 1.2322)); // of the albedo; fit to its table within 0.2 %
    vec3 fresnel = f0 + (vec3(f90) - f0) / 21.0;
    return 1.0 + fresnel * average / (1.0 - fresnel * (1.0 - average)) * (1.0 - albedo) / albedo;
}

// Heitz 2014, section 5.3: GGX with widths a.x along the tangent and a.y across. h, v, l: in (tangent, bitangent, normal).
float D_GGX_anisotropic(vec2 a, vec3 h) {
    vec3 k = vec3(h.xy / a, h.z);
    float d = dot(k, k);
    return INV_PI / (a.x * a.y * d * d);
}

float V_SmithGGX_anisotropic(vec2 a, vec3 v, vec3 l) {
    float both = l.z * length(vec3(a * v.xy, v.z)) + v.z * length(vec3(a * l.xy, l.z));
    return 0.5 / max(both, 1e-5);
}
