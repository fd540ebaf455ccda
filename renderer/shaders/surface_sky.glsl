// What the model hides of the environment from its own surfaces (renderer/passes/sky.py): this picture's share of the
// ratio of seen light to all light, for the diffuse lobe and for the mirrored one. Shares above 1 are right: the average
// over all pictures is the ratio.
layout(binding = 5) uniform sampler2DArrayShadow u_skyShadow;
// Light of all directions in the lobes around every direction: the lower half diffuse, the upper half in four mirrored
// lobes of sharpness 2, 4, 8 and 16.
layout(binding = 6) uniform sampler2D u_skyLobes;
layout(std140, binding = 3) uniform Sky {
    mat4 u_skyMatrix[4];    // world to clip space, for each direction of this picture
    vec4 u_skyDirection[4]; // xyz: unit, towards the light, w: the light that it stands for
    vec4 u_sky;             // x: factor of this picture's share, y: a texel of the map in metres
};

// Weight of the guess that nothing is in the way, against 1 for a direction in the middle of a lobe.
const float UNKNOWN = 0.05;
// Light comes back from what stands in the way: from surfaces of this albedo.
const float OTHER_ALBEDO = 0.5;

// Meyer et al. 2010, "On Floating-Point Normal Vectors": the octahedron's faces unfolded into a square. As sky.py's.
vec2 octahedral(vec3 d, float part) {
    vec2 p = d.xz / (abs(d.x) + abs(d.y) + abs(d.z));
    vec2 folded = (1.0 - abs(p.yx)) * vec2(p.x < 0.0 ? -1.0 : 1.0, p.y < 0.0 ? -1.0 : 1.0);
    vec2 uv = (d.y < 0.0 ? folded : p) * 0.5 + 0.5;
    float inset = 0.5 / float(textureSize(u_skyLobes, 0).x); // no filter across the halves
    return vec2(uv.x, (clamp(uv.y, inset, 1.0 - inset) + part) * 0.5);
}

float sky_open(int k, vec3 position, vec3 normal, float NdotL) {
    // A step along the normal, longest where the light grazes, keeps a surface out of its own shadow.
    vec3 from = position + normal * (2.0 * u_sky.y) * sqrt(max(0.0, 1.0 - NdotL * NdotL));
    vec3 p = (mat4x3(u_skyMatrix[k]) * vec4(from, 1.0)) * 0.5 + 0.5;
    return p.z >= 1.0 ? 1.0 : texture(u_skyShadow, vec4(p.xy, float(k), p.z));
}

struct Sky_ratio {
    float diffuse;
    float mirrored;
};

// The four lobes' shares in a lobe of this roughness: the two nearest in sharpness.
vec4 sky_lobes(float roughness) {
    float alpha = roughness * roughness;
    float level = clamp(log2(0.7 / (alpha * alpha + 0.05)) - 1.0, 0.0, 3.0);
    return max(1.0 - abs(level - vec4(0.0, 1.0, 2.0, 3.0)), 0.0);
}

Sky_ratio see_sky(Surface s) {
    vec3 r = reflect(-s.view, s.normal);
    vec4 lobes = sky_lobes(s.roughness);
    vec2 seen = vec2(0.0), own = vec2(0.0); // light of this picture's directions: what is not hidden, and all of it
    for (int k = 0; k < SKY; ++k) {
        vec3 l = u_skyDirection[k].xyz;
        float NdotL = dot(s.frame[2], l);
        float open = NdotL > 0.0 ? sky_open(k, s.position, s.frame[2], NdotL) : 0.0;
        float wide = exp2(2.0 * 1.442695 * (dot(r, l) - 1.0)), wide2 = wide * wide, wide4 = wide2 * wide2;
        // The filtered light of a mirrored lobe stops at the horizon by itself.
        vec2 light = vec2(max(dot(s.normal, l), 0.0) * u_skyDirection[k].w,
                          dot(lobes, vec4(wide, wide2, wide4, wide4 * wide4)));
        own += light;
        seen += light * vec2(open, NdotL > 0.0 ? open : 1.0);
    }
    vec2 all = vec2(textureLod(u_skyLobes, octahedral(s.normal, 0.0), 0.0).r,
                    dot(lobes, textureLod(u_skyLobes, octahedral(r, 1.0), 0.0)));
    // Where no direction says anything, nothing is hidden.
    vec2 ratio = (u_sky.x * seen + UNKNOWN) / (all + UNKNOWN);
    // Rims and what is thin are met by some of the pictures only, whose shares do not add up: each takes its own ratio.
    float met = smoothstep(0.05, 0.25, s.NdotV) * (1.0 - smoothstep(0.1, 0.4, length(fwidth(s.frame[2]))));
    ratio = mix((seen + UNKNOWN) / (own + UNKNOWN), ratio, met);
    float back = OTHER_ALBEDO * dot(s.albedo, vec3(1.0 / 3.0));
    return Sky_ratio(mix(ratio.x, 1.0, back), ratio.y);
}

// What is mirrored where the environment is hidden: something diffuse that faces the surface, as dark as its surroundings.
vec3 sky_hidden_reflection(Surface s, float occlusion, Sky_ratio open) {
    vec3 r = reflect(-s.view, s.normal);
    return (1.0 - open.mirrored) * OTHER_ALBEDO * occlusion * environment_irradiance(-r);
}
