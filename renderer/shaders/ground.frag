// The shadow on the floor: black that covers what is behind it by the share of light that is missing.
#if DISPLAY
#include "common_view.glsl"
#include "common_display.glsl"
#endif

layout(binding = 0) uniform sampler2D u_hidden;
uniform float u_strength;
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    float covered = texture(u_hidden, v_uv).r * u_strength;
#if DISPLAY
    o_color = vec4(srgb_encode(u_display.rgb * (1.0 - covered)), 1.0); // nothing but the background is behind it
#else
    o_color = vec4(0.0, 0.0, 0.0, covered);
#endif
}
