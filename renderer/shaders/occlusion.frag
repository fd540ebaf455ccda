// How much of the sky a visible point sees past the rest of the picture, weighted by the cosine. Jimenez et al. 2016,
// "Practical Real-Time Strategies for Accurate Indirect Occlusion": slices through the line of sight, in each of which
// the cosine-weighted share of angles has a closed form. What is met hides a sector of a slice from where it is seen to
// where its back is, so that light passes behind thin things: Therrien et al. 2023, "Screen Space
// Indirect Lighting with Visibility Bitmask".
#include "common_constants.glsl"
#include "common_depth.glsl"

uniform float u_radius;    // metres, as far as is searched across
uniform vec2 u_thickness;  // metres: at least and at most
layout(binding = 1) uniform sampler2D u_back; // depth of the nearest sides that face away
layout(location = 0) out vec4 o_open;

// Integral of |sin θ| cos(θ - n) from 0 to h (the paper's equation 7, with its sign).
float cosine_share(float h, float n, float cosine, float sine) {
    return 0.25 * sign(h) * (cosine + 2.0 * h * sine - cos(2.0 * h - n));
}

// Bits from a share to another, each in [0, 1].
uint sectors(float from, float to) {
    uint first = uint(from * 32.0 + 0.5), last = uint(to * 32.0 + 0.5);
    uint count = last > first ? last - first : 0u;
    return (count >= 32u ? ~0u : (1u << count) - 1u) << min(first, 31u);
}

// A plane through the line of sight.
struct Slice {
    vec3 across;  // unit, at right angles to the view
    float n;      // angle of the normal in the slice, from the view
    float cosine; // of n
    float sine;
    float low;    // cosine_share() of the lower horizon
    float all;    // and from there to the upper one
    float weight;
};

Slice slice_of(vec2 direction, vec3 normal, vec3 view) {
    Slice s;
    vec3 d = vec3(direction, 0.0);
    s.across = normalize(d - view * dot(d, view));
    vec2 projected = vec2(dot(normal, view), dot(normal, s.across));
    float size = max(length(projected), 1e-6);
    s.cosine = projected.x / size;
    s.sine = projected.y / size;
    s.n = atan(projected.y, projected.x);
    s.low = cosine_share(s.n - 0.5 * PI, s.n, s.cosine, s.sine);
    s.all = cosine_share(s.n + 0.5 * PI, s.n, s.cosine, s.sine) - s.low;
    s.weight = size * s.all;
    return s;
}

float share_below(float angle, Slice s) {
    float h = clamp(angle, s.n - 0.5 * PI, s.n + 0.5 * PI);
    return clamp((cosine_share(h, s.n, s.cosine, s.sine) - s.low) / s.all, 0.0, 1.0);
}

// How thick a thing is where it is met, along the line of sight.
float thickness_at(ivec2 pixel, vec3 front) {
    float back = texelFetch(u_back, pixel, 0).r;
    float away = back < 1.0 ? length(front) * (position_at(pixel, back).z / front.z - 1.0) : 0.0;
    return clamp(away, u_thickness.x, u_thickness.y);
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float depth = depth_at(pixel);
    o_open = vec4(1.0);
    if (depth >= 1.0) return;
    vec3 here = position_at(pixel, depth), view = -normalize(here);
    vec3 right = position_at(pixel + ivec2(1, 0), depth + depth_step(pixel, ivec2(1, 0), depth)) - here;
    vec3 up = position_at(pixel + ivec2(0, 1), depth + depth_step(pixel, ivec2(0, 1), depth)) - here;
    vec3 normal = normalize(cross(right, up));
    float facing = max(dot(normal, view), 0.02);
    float reach = 0.5 * u_radius * u_projection.y * float(u_size.y) / -here.z; // pixels
    // Every pixel of a square of 4 × 4 looks in other directions and at other distances; the next pass joins them.
    ivec2 cell = pixel & 3;
    float turn = float((((cell.x + cell.y) & 3) << 2) + cell.x) / 16.0, shift = float((cell.y - cell.x) & 3) / 4.0 + 0.125;
    float open = 0.0, all = 0.0;
    for (int k = 0; k < SLICES; ++k) {
        float angle = (float(k) + turn) * PI / float(SLICES);
        vec2 direction = vec2(cos(angle), sin(angle));
        Slice s = slice_of(direction, normal, view);
        uint hidden = 0u;
        for (int i = 0; i < 2 * STEPS; ++i) {
            float t = (float(i >> 1) + fract(shift + 0.618 * float(2 * k + (i & 1)))) / float(STEPS); // no two rays alike
            vec2 way = direction * ((i & 1) == 0 ? 1.0 : -1.0) * (1.0 + t * t * reach);
            ivec2 there = ivec2(floor(gl_FragCoord.xy + way));
            if (any(lessThan(there, ivec2(0))) || any(greaterThanEqual(there, u_size))) continue;
            float met = depth_at(there);
            if (met >= 1.0) continue;
            vec3 front = position_at(there, met), delta = front - here;
            // The pixel's middle is beside the slice: into it at the same height above the surface.
            float across = dot(delta, s.across);
            float along = (dot(delta, normal) - across * dot(s.across, normal)) / facing;
            float near = share_below(atan(across, along), s), far = share_below(atan(across, along - thickness_at(there, front)), s);
            hidden |= sectors(min(near, far), max(near, far));
        }
        open += s.weight * (1.0 - float(bitCount(hidden)) / 32.0);
        all += s.weight;
    }
    o_open = vec4(vec3(open / max(all, 1e-6)), 1.0);
}
