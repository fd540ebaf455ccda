// One triangle at the far plane. v_direction: from the camera, world space, not normalised.
uniform vec4 u_corner0; // direction of the lower left corner
uniform vec4 u_across;  // to the right edge
uniform vec4 u_up;      // to the upper edge
out vec3 v_direction;

void main() {
    vec2 uv = vec2(gl_VertexID == 1 ? 2.0 : 0.0, gl_VertexID == 2 ? 2.0 : 0.0);
    v_direction = u_corner0.xyz + uv.x * u_across.xyz + uv.y * u_up.xyz;
    gl_Position = vec4(uv * 2.0 - 1.0, 1.0, 1.0);
}
