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
