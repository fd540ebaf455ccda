// The triangles of a scene, in the hierarchy that renderer/trace/bvh.py builds, and the two questions asked of it.

layout(binding = 5) uniform isamplerBuffer u_nodes;     // two texels a node: low corner, start | high corner, count * 4 + axis
layout(binding = 6) uniform isamplerBuffer u_skip;      // eight links a node, by octant
layout(binding = 7) uniform samplerBuffer u_triangles;  // three texels: corner, w: 1 when light may pass it, two edges
uniform float u_epsilon;                                // metres; below it a ray has not left its surface

struct Hit {
    float distance; // metres
    int triangle;   // -1: nothing
    vec2 place;     // weights of the second and third corner
};

bool hits_box(vec3 low, vec3 high, vec3 origin, vec3 inverse, float nearest) {
    vec3 a = (low - origin) * inverse, b = (high - origin) * inverse;
    vec3 enter = min(a, b), leave = max(a, b);
    return max(max(enter.x, enter.y), max(enter.z, 0.0)) <= min(min(leave.x, leave.y), min(leave.z, nearest));
}

// Möller and Trumbore 1997, "Fast, Minimum Storage Ray/Triangle Intersection".
void hit_triangle(int i, vec3 origin, vec3 direction, inout Hit hit) {
    vec3 edge1 = texelFetch(u_triangles, 3 * i + 1).xyz, edge2 = texelFetch(u_triangles, 3 * i + 2).xyz;
    vec3 p = cross(direction, edge2);
    float inverse = 1.0 / dot(edge1, p);
    vec3 to = origin - texelFetch(u_triangles, 3 * i).xyz;
    vec3 q = cross(to, edge1);
    float u = dot(to, p) * inverse, v = dot(direction, q) * inverse, t = dot(edge2, q) * inverse;
    if (u >= 0.0 && v >= 0.0 && u + v <= 1.0 && t > u_epsilon && t < hit.distance) {
        hit = Hit(t, i, vec2(u, v));
    }
}

// Where a ray that has reached a node goes next; true when the node is a leaf whose triangles it must test first.
bool visit(inout int node, out int first, out int count, vec3 origin, vec3 inverse, int octant, float nearest) {
    ivec4 low = texelFetch(u_nodes, 2 * node), high = texelFetch(u_nodes, 2 * node + 1);
    bool inside = hits_box(intBitsToFloat(low.xyz), intBitsToFloat(high.xyz), origin, inverse, nearest);
    first = low.w;
    count = high.w >> 2;
    node = inside && count == 0 ? first + ((octant >> high.w) & 1) : texelFetch(u_skip, 8 * node + octant).r;
    return inside && count > 0;
}

// The nearest triangle within `reach` metres. any: an opaque one will do, whether or not it is the nearest.
Hit nearest_hit(vec3 origin, vec3 direction, float reach, bool any) {
    Hit hit = Hit(reach, -1, vec2(0.0));
    vec3 inverse = 1.0 / mix(direction, vec3(1e-20), lessThan(abs(direction), vec3(1e-20))); // never 0 · infinity
    int octant = (direction.x < 0.0 ? 1 : 0) | (direction.y < 0.0 ? 2 : 0) | (direction.z < 0.0 ? 4 : 0);
    int node = 0;
    while (node >= 0) {
        int first, count;
        if (visit(node, first, count, origin, inverse, octant, hit.distance)) {
            for (int i = first; i < first + count; ++i) hit_triangle(i, origin, direction, hit);
            if (any && hit.triangle >= 0 && texelFetch(u_triangles, 3 * hit.triangle).w == 0.0) return hit;
        }
    }
    return hit;
}
