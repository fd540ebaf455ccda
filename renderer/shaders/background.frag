// The environment as a backdrop, at full sharpness.
#include "common_equirect.glsl"

layout(binding = 0) uniform sampler2D u_equirect;
uniform float u_intensity;
in vec3 v_direction;
layout(location = 0) out vec4 o_color;

void main() {
    // Alpha 2 tells glass that nothing but the environment is here; a picture's own alpha ends at 1.
    // Level 0 by hand: the derivative across the seam u = 0|1 would pick the smallest level there.
    o_color = vec4(textureLod(u_equirect, equirect_uv(normalize(v_direction)), 0.0).rgb * u_intensity, 2.0);
}
