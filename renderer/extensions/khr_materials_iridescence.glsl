// KHR_materials_iridescence: interference in a thin film over the base material.
#include "common_brdf.glsl"
float iridescence_factor;
float iridescence_ior;
float iridescence_thickness; // nanometres

void iridescence_info(inout Surface s) {
    iridescence_factor = u_iridescenceFactor;
#ifdef HAS_iridescenceTexture
    iridescence_factor *= sample_iridescenceTexture().r;
#endif
    iridescence_ior = u_iridescenceIor;
    iridescence_thickness = u_iridescenceThicknessMaximum;
#ifdef HAS_iridescenceThicknessTexture
    iridescence_thickness = mix(u_iridescenceThicknessMinimum, u_iridescenceThicknessMaximum,
                                sample_iridescenceThicknessTexture().g);
#endif
    iridescence_factor = iridescence_thickness > 0.0 ? iridescence_factor : 0.0;
}

// Spectral sensitivity of the eye after an optical path difference (nm), as Rec. 709: Belcour and Barla 2017, "A Practical
// Extension to Microfacet Theory for the Modeling of Varying Iridescence", equation 10; their fit of Gaussians to CIE 1931.
vec3 film_sensitivity(float difference, vec3 shift) {
    const mat3 XYZ_TO_REC709 = mat3(
        3.2404542, -0.9692660, 0.0556434, -1.5371385, 1.8760108, -0.2040259, -0.4985314, 0.0415560, 1.0572252);
    float phase = 2.0 * PI * difference * 1e-9;
    vec3 variance = vec3(4.3278e9, 9.3046e9, 6.6121e9);
    vec3 xyz = vec3(5.4856e-13, 4.4201e-13, 5.2481e-13) * sqrt(2.0 * PI * variance)
        * cos(vec3(1.6810e6, 1.7953e6, 2.2084e6) * phase + shift) * exp(-variance * phase * phase);
    xyz.x += 9.7470e-14 * sqrt(2.0 * PI * 4.5282e9) * cos(2.2399e6 * phase + shift.x) * exp(-4.5282e9 * phase * phase);
    return XYZ_TO_REC709 * (xyz / 1.0685e-7);
}

// Reflectance of the film over a base of reflectance f0, seen under `cosine` (the extension's section "Fresnel": an Airy
// sum of which the first two orders are kept).
vec3 iridescent_fresnel(float cosine, vec3 f0) {
    float film = mix(1.0, iridescence_ior, smoothstep(0.0, 30.0, iridescence_thickness)); // a film without thickness is none
    float cosine2 = 1.0 - (1.0 - cosine * cosine) / (film * film);
    if (cosine2 < 0.0) return vec3(1.0);
    cosine2 = sqrt(cosine2);
    float first = (film - 1.0) / (film + 1.0);
    float r12 = F_Schlick(vec3(first * first), 1.0, cosine).r;
    vec3 root = sqrt(clamp(f0, 0.0, 0.9999));
    vec3 base = (1.0 + root) / (1.0 - root);
    vec3 second = (base - film) / (base + film);
    vec3 r23 = F_Schlick(second * second, 1.0, cosine2);
    vec3 shift = vec3(film < 1.0 ? 0.0 : PI) + mix(vec3(0.0), vec3(PI), lessThan(base, vec3(film)));
    float difference = 2.0 * film * iridescence_thickness * cosine2;
    vec3 r123 = clamp(r12 * r23, 1e-5, 0.9999);
    vec3 back = (1.0 - r12) * (1.0 - r12) * r23 / (1.0 - r123);
    vec3 sum = r12 + back;
    vec3 order = back - (1.0 - r12);
    for (int m = 1; m <= 2; ++m) {
        order *= sqrt(r123);
        sum += order * 2.0 * film_sensitivity(float(m) * difference, float(m) * shift);
    }
    return clamp(sum, 0.0, 1.0);
}

#if !TRACING
// The reflectance at normal incidence from which Schlick's curve leads to the film's at this angle.
vec3 film_f0(float cosine, vec3 f0, float f90) {
    float m = 1.0 - cosine;
    float weight = m * m * m * m * m;
    vec3 film = mix(F_Schlick(f0, f90, cosine), iridescent_fresnel(cosine, f0), iridescence_factor);
    return clamp((film - f90 * weight) / max(1.0 - weight, 1e-3), 0.0, 1.0);
}

void iridescence_prepare(inout Surface s) {
    s.dielectric = film_f0(s.NdotV, s.dielectric, s.dielectric90);
    s.metal = film_f0(s.NdotV, s.metal, 1.0);
    s.f0 = mix(s.dielectric, s.metal, s.metallic);
}
#endif
