// The shadow on the floor: black that covers what is behind it by the share of light that is missing.
layout(binding = 0) uniform sampler2D u_hidden;
uniform float u_strength;
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() {
    o_color = vec4(0.0, 0.0, 0.0, texture(u_hidden, v_uv).r * u_strength);
}
