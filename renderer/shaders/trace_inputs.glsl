// What lies where a ray has hit: fills the inputs of surface_info.glsl and the row of the material table.

layout(binding = 8) uniform isamplerBuffer u_corners; // by triangle: three vertices, material
layout(binding = 9) uniform samplerBuffer u_vertices; // four texels: normal, tangent, two texture coordinates, colour

vec3 geometric_normal; // unit, on the side the ray came from
vec3 smooth_position;  // where rays leave from: off flat triangles that stand for something round

// Hanika 2021, "Hacking the Shadow Terminator" (Ray Tracing Gems II): the point on the tangent planes of the corners.
vec3 lifted(vec3 p, vec3 corner, vec3 normal) {
    return p - min(0.0, dot(p - corner, normal)) * normal;
}

void read_inputs(Hit hit, vec3 direction) {
    ivec4 corners = texelFetch(u_corners, hit.triangle);
    material = corners.w;
    vec3 p0 = texelFetch(u_triangles, 3 * hit.triangle).xyz;
    vec3 edge1 = texelFetch(u_triangles, 3 * hit.triangle + 1).xyz;
    vec3 edge2 = texelFetch(u_triangles, 3 * hit.triangle + 2).xyz;
    vec3 w = vec3(1.0 - hit.place.x - hit.place.y, hit.place);
    v_position = p0 + edge1 * w.y + edge2 * w.z;
    v_view = -direction;
    geometric_normal = normalize(cross(edge1, edge2));
    v_front = dot(geometric_normal, direction) < 0.0;
    float side = v_front ? 1.0 : -1.0;
    geometric_normal *= side;
    ivec3 at = corners.xyz * 4;
    vec3 n0 = texelFetch(u_vertices, at.x).xyz, n1 = texelFetch(u_vertices, at.y).xyz, n2 = texelFetch(u_vertices, at.z).xyz;
    v_normal = n0 * w.x + n1 * w.y + n2 * w.z;
    v_tangent = texelFetch(u_vertices, at.x + 1) * w.x + texelFetch(u_vertices, at.y + 1) * w.y + texelFetch(u_vertices, at.z + 1) * w.z;
    v_tangent.w = v_tangent.w < 0.0 ? -1.0 : 1.0;
    vec4 uv = texelFetch(u_vertices, at.x + 2) * w.x + texelFetch(u_vertices, at.y + 2) * w.y + texelFetch(u_vertices, at.z + 2) * w.z;
    v_texcoord0 = uv.xy;
    v_texcoord1 = uv.zw;
    v_color = texelFetch(u_vertices, at.x + 3) * w.x + texelFetch(u_vertices, at.y + 3) * w.y + texelFetch(u_vertices, at.z + 3) * w.z;
    vec3 q0 = lifted(v_position, p0, side * n0), q1 = lifted(v_position, p0 + edge1, side * n1), q2 = lifted(v_position, p0 + edge2, side * n2);
    smooth_position = q0 * w.x + q1 * w.y + q2 * w.z;
}

Surface read_surface() {
    Surface s = core_info();
    hooks_info(s);
    return s;
}
