// Linear radiance to display values: exposure, tone mapping, background, sRGB. Turns the picture so that row 0 is its top.
#include "post_tone_mapping.glsl"

layout(binding = 0) uniform sampler2D u_radiance; // premultiplied
uniform float u_exposure;   // includes 1 / number of accumulated samples in the colour
uniform float u_weight;     // 1 / number of accumulated samples
uniform vec4 u_background;  // linear display values, a: 1 when it covers what is behind
uniform ivec2 u_size;       // of the drawn part, pixels
layout(location = 0) out vec4 o_color;

// IEC 61966-2-1. Its power 1 / 2.4 as a least-squares fit over square roots, which every processor has in hardware:
// within 0.015 of a byte step on [0.0031308, 1].
vec3 srgb_encode(vec3 c) {
    vec3 s1 = sqrt(c), s2 = sqrt(s1), s3 = sqrt(s2);
    vec3 curve = 0.6445604 * s1 + 0.70994594 * s2 - 0.33605175 * s3 - 0.01848589 * c;
    return mix(12.92 * c, curve, step(0.0031308, c));
}

void main() {
    ivec2 p = ivec2(gl_FragCoord.x, u_size.y - 1 - int(gl_FragCoord.y));
    vec4 c = texelFetch(u_radiance, p, 0);
    float alpha = clamp(c.a * u_weight, 0.0, 1.0);
    vec3 straight = alpha > 0.0 ? c.rgb * u_exposure / alpha : vec3(0.0);
    vec3 display = clamp(tone_map(straight), 0.0, 1.0);
    float covered = mix(alpha, 1.0, u_background.a);
    vec3 over = covered > 0.0 ? mix(u_background.rgb * u_background.a, display, alpha / covered) : display;
    o_color = vec4(ENCODE == 1 ? srgb_encode(over) : over, covered); // data is written as it is
}
