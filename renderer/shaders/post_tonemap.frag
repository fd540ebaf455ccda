// Linear radiance to display values: exposure, tone mapping, background, sRGB. Turns the picture so that row 0 is its top.
#include "common_display.glsl"

layout(binding = 0) uniform sampler2D u_radiance; // premultiplied
uniform float u_exposure;   // includes 1 / number of accumulated samples in the colour
uniform float u_weight;     // 1 / number of accumulated samples
uniform vec4 u_background;  // linear display values, a: 1 when it covers what is behind
uniform ivec2 u_size;       // of the drawn part, pixels
layout(location = 0) out vec4 o_color;

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
