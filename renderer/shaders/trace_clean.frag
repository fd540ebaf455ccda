// One step of an edge-avoiding à-trous filter: neighbours are averaged where what they show is alike and where their
// difference is what chance would make of it. Dammertz et al. 2010, "Edge-Avoiding À-Trous Wavelet Transform for fast
// Global Illumination Filtering", with the variance of Schied et al. 2017, "Spatiotemporal Variance-Guided Filtering".

layout(binding = 0) uniform sampler2D u_light;  // radiance over the colour of what is seen; variance of its luminance
layout(binding = 1) uniform sampler2D u_guide;  // sum of colours; of squared luminances
layout(binding = 2) uniform sampler2D u_normal; // sum of normals; of luminances
layout(binding = 3) uniform sampler2D u_color;  // sum of radiance and coverage

uniform ivec2 u_size;
uniform int u_step;      // pixels between taps
uniform float u_weight;  // 1 / samples

layout(location = 0) out vec4 o_light;

// How many standard deviations of chance a difference may be before it counts as an edge.
const float TOLERANCE = 2.5;
// Below this the colour of what is seen is not divided out: black things have highlights.
const float LEAST_COLOR = 0.05;

vec3 guide_color(ivec2 p) { return texelFetch(u_guide, p, 0).rgb * u_weight; }
vec3 divisor(ivec2 p) { return max(guide_color(p), vec3(LEAST_COLOR)); }
float luminance(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

#if PREPARE
void main() {
    ivec2 p = ivec2(gl_FragCoord.xy);
    float mean = texelFetch(u_normal, p, 0).w * u_weight, squares = texelFetch(u_guide, p, 0).w * u_weight;
    float bright = luminance(divisor(p));
    float variance = max(squares - mean * mean, 0.0) * u_weight / (bright * bright);
    o_light = vec4(texelFetch(u_color, p, 0).rgb * u_weight / divisor(p), variance);
}
#elif FINISH
void main() {
    ivec2 p = ivec2(gl_FragCoord.xy);
    o_light = vec4(texelFetch(u_light, p, 0).rgb * divisor(p), texelFetch(u_color, p, 0).a * u_weight);
}
#else
// The variance around a pixel: that of one pixel is as noisy as the pixel.
float steady_variance(ivec2 p) {
    float sum = 0.0, weights = 0.0;
    for (int y = -1; y <= 1; ++y) {
        for (int x = -1; x <= 1; ++x) {
            float w = float((2 - abs(x)) * (2 - abs(y)));
            ivec2 q = clamp(p + ivec2(x, y), ivec2(0), u_size - 1);
            sum += w * texelFetch(u_light, q, 0).w;
            weights += w;
        }
    }
    return sum / weights;
}

void main() {
    ivec2 p = ivec2(gl_FragCoord.xy);
    vec4 center = texelFetch(u_light, p, 0);
    vec3 color = guide_color(p), normal = texelFetch(u_normal, p, 0).xyz * u_weight;
    float coverage = texelFetch(u_color, p, 0).a * u_weight;
    float spread = TOLERANCE * sqrt(steady_variance(p)) + 1e-4, brightness = luminance(center.rgb);
    vec4 sum = center;
    float weights = 1.0;
    const float kernel[3] = float[](1.0, 2.0 / 3.0, 1.0 / 6.0); // a cubic spline's, over its middle
    for (int y = -2; y <= 2; ++y) {
        for (int x = -2; x <= 2; ++x) {
            ivec2 q = p + ivec2(x, y) * u_step;
            if ((x == 0 && y == 0) || any(lessThan(q, ivec2(0))) || any(greaterThanEqual(q, u_size))) continue;
            vec4 light = texelFetch(u_light, q, 0);
            vec3 other = guide_color(q), turned = texelFetch(u_normal, q, 0).xyz * u_weight - normal;
            float edge = abs(luminance(light.rgb) - brightness) / spread + 64.0 * dot(turned, turned)
                + 16.0 * dot(abs(other - color), vec3(1.0)) + 16.0 * abs(texelFetch(u_color, q, 0).a * u_weight - coverage);
            float w = kernel[abs(x)] * kernel[abs(y)] * exp(-edge);
            sum += light * vec4(vec3(w), w * w);
            weights += w;
        }
    }
    o_light = sum / vec4(vec3(weights), weights * weights);
}
#endif
