// Depth from a light. What covers only partly leaves only some of its texels, in an even pattern that changes from one
// jittered picture to the next; the filter of the comparison makes a shade of it. CAST 1: cut-outs, 2: part coverage.
#if CAST > 0
#include "common_view.glsl"
#include "material.glsl"
#if HAS_COLOR
in vec4 v_color;
#endif
#endif
#if CAST == 1
#include "surface_cutout.glsl"
#endif
#if CAST == 2
uniform float u_turn; // 0 … 1, another for each picture that is averaged

// Jimenez 2014, "Next Generation Post Processing in Call of Duty: Advanced Warfare": interleaved gradient noise.
float threshold(vec2 pixel) {
    return fract(52.9829189 * fract(dot(pixel, vec2(0.06711056, 0.00583715))) + u_turn);
}

// Share of the light that is held back.
float opacity() {
    vec4 color = u_baseColorFactor;
#ifdef HAS_baseColorTexture
    color *= sample_baseColorTexture();
#endif
#if HAS_COLOR
    color *= v_color;
#endif
    float held = ALPHA_BLEND == 1 ? color.a : 1.0;
#ifdef TRANSMISSION
    held *= 1.0 - u_transmissionFactor * (1.0 - u_metallicFactor) * dot(color.rgb, vec3(1.0 / 3.0));
#endif
    return held;
}
#endif

void main() {
#if CAST == 1
    cut_out();
#elif CAST == 2
    if (opacity() <= threshold(gl_FragCoord.xy)) discard;
#endif
}
