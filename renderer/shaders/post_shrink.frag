// One level of the picture behind glass from the level below it: the average of 2×2 texels, never of texels beside the
// drawn part. The level read is the texture's only visible one.
layout(binding = 0) uniform sampler2D u_source;
uniform ivec2 u_size; // of the drawn part at the level read, texels
layout(location = 0) out vec4 o_color;

void main() {
    ivec2 p = ivec2(gl_FragCoord.xy) * 2, last = u_size - 1;
    o_color = 0.25 * (texelFetch(u_source, min(p, last), 0) + texelFetch(u_source, min(p + ivec2(1, 0), last), 0) +
                      texelFetch(u_source, min(p + ivec2(0, 1), last), 0) + texelFetch(u_source, min(p + 1, last), 0));
}
