// What the model hides of the environment from its own surfaces in one picture that stands alone: the ambient occlusion
// that renderer/passes/occlusion.py finds in the depth of the whole pixel.
layout(binding = 5) uniform sampler2D u_open;
layout(binding = 6) uniform sampler2D u_openDepth;

// Light comes back from what stands in the way: from surfaces of this albedo.
const float OTHER_ALBEDO = 0.5;

// Openness at this fragment. At an outline the pixel's middle may lie on another surface: then that of the neighbours
// whose depth is most like this fragment's.
float seen_open() {
    ivec2 pixel = ivec2(gl_FragCoord.xy), last = ivec2(u_target.zw / u_target.xy + 0.5) - 1;
    vec2 slope = vec2(dFdx(gl_FragCoord.z), dFdy(gl_FragCoord.z));
    float tolerance = 1e-6 + 0.5 * (abs(slope.x) + abs(slope.y));
    float open = texelFetch(u_open, pixel, 0).r;
    float best = abs(texelFetch(u_openDepth, pixel, 0).r - gl_FragCoord.z);
    if (best <= tolerance) return open;
    for (int i = 0; i < 9; ++i) {
        ivec2 step = ivec2(i % 3, i / 3) - 1, there = clamp(pixel + step, ivec2(0), last);
        float misfit = abs(texelFetch(u_openDepth, there, 0).r - gl_FragCoord.z - dot(slope, vec2(step)));
        if (misfit >= best) continue;
        best = misfit;
        open = texelFetch(u_open, there, 0).r;
    }
    return open;
}

// Light that comes back from surroundings of the surface's own colour: Jimenez et al. 2016, equation 10.
vec3 bounced(float open, vec3 albedo) {
    vec3 a = 2.0404 * albedo - 0.3324, b = 4.7951 * albedo - 0.6417, c = 2.7552 * albedo + 0.6903;
    return max(vec3(open), ((open * a - b) * open + c) * open);
}

// What is mirrored where the environment is hidden: something diffuse that faces the surface, as dark as its surroundings.
vec3 hidden_reflection(Surface s) {
    vec3 r = reflect(-s.view, s.normal);
    float open = specular_occlusion(s.NdotV, s.occlusion, s.roughness);
    return (1.0 - open) * OTHER_ALBEDO * s.occlusion * environment_irradiance(-r);
}
