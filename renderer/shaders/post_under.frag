// A sum of samples, each laid over the same picture.
layout(binding = 0) uniform sampler2D u_sum;   // premultiplied, the sum of u_samples
layout(binding = 1) uniform sampler2D u_below; // premultiplied
uniform float u_samples;
layout(location = 0) out vec4 o_color;

void main() {
    vec4 sum = texelFetch(u_sum, ivec2(gl_FragCoord.xy), 0);
    o_color = sum + max(u_samples - sum.a, 0.0) * texelFetch(u_below, ivec2(gl_FragCoord.xy), 0);
}
