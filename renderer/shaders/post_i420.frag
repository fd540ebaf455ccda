// Display values to planar YCbCr 4:2:0, BT.709, limited range; scales the drawn part up to the output size on the way.
// Four bytes a fragment: the target is RGBA8, a quarter as wide as a plane row.
layout(binding = 0) uniform sampler2D u_display; // row 0 is the top
uniform vec2 u_scale;      // uv of the drawn part / output pixel
uniform vec2 u_limit;      // largest uv that does not bleed into what lies beside the drawn part
uniform ivec2 u_size;      // output, pixels
layout(location = 0) out vec4 o_bytes;

// ITU-R BT.709-6 §3, quantised to 16–235 and 16–240.
const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722) * 219.0 / 255.0;
const vec3 CB = vec3(-0.2126, -0.7152, 0.9278) / 1.8556 * 224.0 / 255.0;
const vec3 CR = vec3(0.7874, -0.7152, -0.0722) / 1.5748 * 224.0 / 255.0;

vec3 at(vec2 pixel) {
    return texture(u_display, min(pixel * u_scale, u_limit)).rgb;
}

vec3 luma_at(vec2 pixel) {
#if SCALED
    return at(pixel);
#else
    return texelFetch(u_display, ivec2(pixel), 0).rgb; // a filter would weigh one texel with 1
#endif
}

void main() {
#if CHROMA
    int row = int(gl_FragCoord.y) - u_size.y; // of the 2 planes laid end to end in rows of the luma's width
    int half_width = u_size.x / 2;
    int index = row * u_size.x + int(gl_FragCoord.x) * 4;
    int plane = half_width * (u_size.y / 2);
    vec3 weights = index < plane ? CB : CR;
    int local = index < plane ? index : index - plane;
    // The width is a multiple of 8: four neighbours never straddle a row. Bilinear at the corner of 2×2 pixels averages them.
    vec2 p = vec2(local % half_width, local / half_width) * 2.0 + 1.0;
    o_bytes = vec4(dot(at(p), weights), dot(at(p + vec2(2, 0)), weights), dot(at(p + vec2(4, 0)), weights),
                   dot(at(p + vec2(6, 0)), weights)) + 128.0 / 255.0;
#else
    vec2 p = vec2((gl_FragCoord.x - 0.5) * 4.0 + 0.5, gl_FragCoord.y);
    o_bytes = vec4(dot(luma_at(p), LUMA), dot(luma_at(p + vec2(1, 0)), LUMA), dot(luma_at(p + vec2(2, 0)), LUMA),
                   dot(luma_at(p + vec2(3, 0)), LUMA)) + 16.0 / 255.0;
#endif
}
