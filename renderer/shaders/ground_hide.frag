// Share of an overcast sky's light that a model hides from a point of the floor, in a noisy first guess: sixteen
// neighbours take sixteen different turns of the same directions, and ground_smooth.frag averages them.
#include "common_constants.glsl"

layout(binding = 0) uniform sampler2D u_lowest;  // height of the model's underside / its height, 1: nothing
layout(binding = 1) uniform sampler2D u_highest; // 1 - height of its upper side / its height, 1: nothing
uniform vec2 u_extent;  // of the floor, metres
uniform float u_height; // of the model, metres
in vec2 v_uv;
layout(location = 0) out vec4 o_hidden;

const int DIRECTIONS = 16;
const int STEPS = 12;

// Whether the model is anywhere between two heights over a point.
bool meets(vec2 uv, float low, float high) {
    float underside = textureLod(u_lowest, uv, 0.0).r, top = 1.0 - textureLod(u_highest, uv, 0.0).r;
    return underside < 1.0 && underside <= high && top >= low;
}

void main() {
    ivec2 cell = ivec2(gl_FragCoord.xy) & 3;
    float turn = float(cell.x * 4 + cell.y) / 16.0;
    float hidden = 0.0;
    for (int i = 0; i < DIRECTIONS; ++i) {
        // Cosine-weighted: sin² of the angle to the zenith is even. A ray that climbs by 1 goes sideways by `slope`.
        // Moon and Spencer 1942: the zenith of an overcast sky is three times as bright as its horizon; mean weight 1.
        float sine2 = (float(i) + turn) / float(DIRECTIONS);
        float slope = sqrt(sine2 / (1.0 - sine2 + 1e-4));
        float weight = (1.0 + 2.0 * sqrt(1.0 - sine2)) * 3.0 / 7.0;
        float angle = 2.0 * PI * fract(float(i) * 0.618034 + turn);
        vec2 side = vec2(cos(angle), sin(angle)) * slope * u_height / u_extent;
        // Steps grow with the distance: near things have the sharper shadow.
        float before = 0.0, limit = min(1.0, 1.5 / max(length(side), 1e-4));
        for (int j = 1; j <= STEPS; ++j) {
            float share = float(j) / float(STEPS);
            float height = share * share * limit;
            vec2 uv = v_uv + side * 0.5 * (before + height);
            if (meets(uv, before, height)) {
                hidden += weight;
                break;
            }
            before = height;
        }
    }
    o_hidden = vec4(hidden / float(DIRECTIONS));
}
