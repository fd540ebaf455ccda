// From a depth picture of the camera (depth linear on planes, 1 where nothing is) back to camera space, metres.
layout(binding = 0) uniform sampler2D u_depth;
uniform ivec2 u_size;      // of the drawn part, pixels
uniform vec4 u_projection; // scale x, y and offset x, y of the projection
uniform vec2 u_range;      // the two numbers of the projection that make depth

float depth_at(ivec2 pixel) {
    return texelFetch(u_depth, clamp(pixel, ivec2(0), u_size - 1), 0).r;
}

vec3 position_at(ivec2 pixel, float depth) {
    float away = u_range.y / (2.0 * depth - 1.0 + u_range.x);
    vec2 ndc = (vec2(pixel) + 0.5) * 2.0 / vec2(u_size) - 1.0;
    return vec3((ndc + u_projection.zw) / u_projection.xy * away, -away);
}

// The change of depth from this pixel to the next along an axis, on the side whose surface leads on to this pixel.
float depth_step(ivec2 pixel, ivec2 axis, float depth) {
    float before = depth_at(pixel - axis), after = depth_at(pixel + axis);
    float misfit_before = abs(2.0 * before - depth_at(pixel - 2 * axis) - depth);
    float misfit_after = abs(2.0 * after - depth_at(pixel + 2 * axis) - depth);
    return misfit_before < misfit_after ? depth - before : after - depth;
}
