// The average over four by four neighbours of ground_hide.frag, centred, and a soft end at the rim of the floor.
layout(binding = 0) uniform sampler2D u_hidden;
in vec2 v_uv;
layout(location = 0) out vec4 o_hidden;

void main() {
    ivec2 centre = ivec2(gl_FragCoord.xy), last = ivec2(round(gl_FragCoord.xy / v_uv)) - 1;
    float sum = 0.0;
    for (int y = -2; y <= 2; ++y) {
        for (int x = -2; x <= 2; ++x) {
            float weight = (abs(x) == 2 ? 0.5 : 1.0) * (abs(y) == 2 ? 0.5 : 1.0);
            sum += weight * texelFetch(u_hidden, clamp(centre + ivec2(x, y), ivec2(0), last), 0).r;
        }
    }
    vec2 inside = smoothstep(vec2(0.0), vec2(0.15), min(v_uv, 1.0 - v_uv));
    o_hidden = vec4(sum / 16.0 * inside.x * inside.y);
}
