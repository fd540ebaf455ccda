// Low-discrepancy points and importance sampling, for the filters of the environment.
#include "common_constants.glsl"

// Hammersley points: Dammertz 2012, "Hammersley Points on the Hemisphere".
vec2 hammersley(uint i, uint count) {
    return vec2(float(i) / float(count), float(bitfieldReverse(i)) * 2.3283064365386963e-10); // 2^-32
}

// A frame around n (Duff et al. 2017, "Building an Orthonormal Basis, Revisited").
mat3 basis(vec3 n) {
    float s = n.z >= 0.0 ? 1.0 : -1.0;
    float a = -1.0 / (s + n.z);
    float b = n.x * n.y * a;
    return mat3(vec3(1.0 + s * n.x * n.x * a, s * b, -s * n.x), vec3(b, s + n.y * n.y * a, -n.y), n);
}

// A half vector with density D_GGX(h) NdotH (Walter et al. 2007, eq. 35), z up.
vec3 sample_ggx(vec2 u, float alpha) {
    float cosine = sqrt((1.0 - u.y) / (1.0 + (alpha * alpha - 1.0) * u.y));
    float sine = sqrt(max(0.0, 1.0 - cosine * cosine));
    return vec3(cos(2.0 * PI * u.x) * sine, sin(2.0 * PI * u.x) * sine, cosine);
}
