// Display values to planar YCbCr 4:2:0, BT.709 or BT.601, limited range.
// Four bytes a fragment: the target is RGBA8, a quarter as wide as a plane row.
layout(binding = 0) uniform sampler2D u_picture;
uniform ivec2 u_size;      // of the drawn part, pixels
uniform vec2 u_texel;      // 1 / size of the texture
uniform bool u_upright;    // the picture's row 0 is its top, else its bottom
layout(location = 0) out vec4 o_bytes;

// ITU-R BT.709-6 §3 and BT.601-7 §2.5, quantised to 16–235 and 16–240.
#if BT601
const vec3 WEIGHTS = vec3(0.299, 0.587, 0.114);
#else
const vec3 WEIGHTS = vec3(0.2126, 0.7152, 0.0722);
#endif
const vec3 LUMA = WEIGHTS * 219.0 / 255.0;
const vec3 CB = (vec3(0, 0, 1) - WEIGHTS) / (2.0 * (1.0 - WEIGHTS.b)) * 224.0 / 255.0;
const vec3 CR = (vec3(1, 0, 0) - WEIGHTS) / (2.0 * (1.0 - WEIGHTS.r)) * 224.0 / 255.0;

#if CHROMA
vec3 at(vec2 corner) {
    corner.y = u_upright ? corner.y : float(u_size.y) - corner.y;
    return texture(u_picture, corner * u_texel).rgb; // bilinear where four pixels meet averages them
}

void main() {
    int row = int(gl_FragCoord.y) - u_size.y; // of the 2 planes laid end to end in rows of the luma's width
    int half_width = u_size.x / 2;
    int index = row * u_size.x + int(gl_FragCoord.x) * 4;
    int plane = half_width * (u_size.y / 2);
    vec3 weights = index < plane ? CB : CR;
    int local = index < plane ? index : index - plane;
    // The width is a multiple of 8: four neighbours never straddle a row.
    vec2 p = vec2(local % half_width, local / half_width) * 2.0 + 1.0;
    o_bytes = vec4(dot(at(p), weights), dot(at(p + vec2(2, 0)), weights), dot(at(p + vec2(4, 0)), weights),
                   dot(at(p + vec2(6, 0)), weights)) + 128.0 / 255.0;
}
#else
void main() {
    int row = int(gl_FragCoord.y);
    ivec2 p = ivec2(int(gl_FragCoord.x) * 4, u_upright ? row : u_size.y - 1 - row);
    mat4x3 rgb = mat4x3(texelFetch(u_picture, p, 0).rgb, texelFetch(u_picture, p + ivec2(1, 0), 0).rgb,
                        texelFetch(u_picture, p + ivec2(2, 0), 0).rgb, texelFetch(u_picture, p + ivec2(3, 0), 0).rgb);
    o_bytes = LUMA * rgb + 16.0 / 255.0;
}
#endif
