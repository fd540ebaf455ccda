// Adds one sample of the picture to the sum (the blend state adds).
layout(binding = 0) uniform sampler2D u_radiance;
layout(location = 0) out vec4 o_color;

void main() {
    o_color = texelFetch(u_radiance, ivec2(gl_FragCoord.xy), 0);
}
