// Shadows of punctual lights: depth pictures from the lights (renderer/lights.py), compared with a little blur.
const int MAX_SHADOW_LAYERS = 12;

layout(binding = 4) uniform sampler2DArrayShadow u_shadow;
layout(std140, binding = 2) uniform Shadows {
    mat4 u_shadowMatrix[MAX_SHADOW_LAYERS]; // world to clip space of each layer
    vec4 u_shadowTexel;                     // x: 1 / size of a layer in texels
};

// Which face of a cube around a point light holds direction d: +X −X +Y −Y +Z −Z.
int cube_face(vec3 d) {
    vec3 a = abs(d);
    if (a.x >= a.y && a.x >= a.z) return d.x > 0.0 ? 0 : 1;
    if (a.y >= a.z) return d.y > 0.0 ? 2 : 3;
    return d.z > 0.0 ? 4 : 5;
}

// Share of light i that reaches the surface. l: unit, towards the light.
float shadow(int i, vec3 position, vec3 normal, vec3 l) {
    int layer = int(u_lights[i].color.w);
    if (layer < 0) return 1.0;
    if (abs(u_lights[i].position.w - 1.0) < 0.5) layer += cube_face(-l);
    // A step along the normal, longest where the light grazes, keeps a surface out of its own shadow.
    vec4 clip = u_shadowMatrix[layer] * vec4(position, 1.0);
    float texel = clip.w * u_shadowTexel.x * 2.0 / length(vec3(u_shadowMatrix[layer][0][0], u_shadowMatrix[layer][1][0], u_shadowMatrix[layer][2][0]));
    float sine = sqrt(max(0.0, 1.0 - dot(normal, l) * dot(normal, l)));
    clip = u_shadowMatrix[layer] * vec4(position + normal * texel * 2.0 * sine, 1.0);
    vec3 p = clip.xyz / clip.w * 0.5 + 0.5;
    if (p.z >= 1.0) return 1.0;
    float sum = 0.0;
    for (int k = 0; k < 4; ++k) {
        vec2 offset = vec2(k & 1, k >> 1) - 0.5;
        sum += texture(u_shadow, vec4(p.xy + offset * u_shadowTexel.x, float(layer), p.z));
    }
    return sum * 0.25;
}
