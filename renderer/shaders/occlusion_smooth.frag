// Joins the 4 × 4 directions and distances of occlusion.frag: the mean over a square, of what lies on one surface.
#include "common_depth.glsl"
layout(binding = 1) uniform sampler2D u_open;
layout(location = 0) out vec4 o_open;

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float depth = depth_at(pixel);
    o_open = vec4(1.0);
    if (depth >= 1.0) return;
    vec2 slope = vec2(depth_step(pixel, ivec2(1, 0), depth), depth_step(pixel, ivec2(0, 1), depth));
    // A surface bends by about its own slope over so few pixels, and by no less than the depth of a pixel's width.
    float width = abs(position_at(pixel + ivec2(1, 0), depth).x - position_at(pixel, depth).x);
    float scale = 0.5 * (2.0 * depth - 1.0 + u_range.x) * (2.0 * depth - 1.0 + u_range.x) / abs(u_range.y);
    float tolerance = 2.0 * width * scale + abs(slope.x) + abs(slope.y);
    vec2 sum = vec2(0.0);
    for (int i = 0; i < 16; ++i) {
        ivec2 step = ivec2(i & 3, i >> 2) - 2;
        ivec2 there = clamp(pixel + step, ivec2(0), u_size - 1);
        float misfit = abs(depth_at(there) - depth - dot(slope, vec2(step))) / tolerance;
        sum += vec2(texelFetch(u_open, there, 0).r, 1.0) * max(1.0 - misfit, 0.0);
    }
    o_open = vec4(vec3(sum.x / max(sum.y, 1e-4)), 1.0);
}
