// The floor under a model: a strip of two triangles between two corners, metres.
#include "common_view.glsl"

uniform vec3 u_low;
uniform vec3 u_high;
out vec2 v_uv;

void main() {
    v_uv = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    gl_Position = u_viewProjection * vec4(mix(u_low, u_high, vec3(v_uv.x, 0.0, v_uv.y)), 1.0);
}
