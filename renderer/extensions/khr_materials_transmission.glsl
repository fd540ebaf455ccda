// KHR_materials_transmission on a thin wall: what lies behind, blurred by roughness and tinted, takes the place of diffuse light.
float transmission_factor;

void transmission_info(inout Surface s) {
    transmission_factor = u_transmissionFactor;
#ifdef HAS_transmissionTexture
    transmission_factor *= sample_transmissionTexture().r;
#endif
    transmission_factor *= 1.0 - s.metallic;
}

#if !TRACING
layout(binding = 3) uniform sampler2D u_behind; // the opaque picture with mip levels, premultiplied

// rgb: the light that comes through, without the reflected part; a: how much the surface covers an empty background.
vec4 transmission_diffuse(Surface s, vec4 diffuse) {
    // A lobe of roughness r spans a share of the picture that grows with r; level 0 is one pixel. Clear glass reads it
    // alone: renderer/passes/behind.py makes no other for it.
    float level = s.roughness * s.roughness * (float(textureQueryLevels(u_behind)) - 3.0);
    level = s.roughness > MIN_ROUGHNESS ? level : 0.0;
    vec2 limit = u_target.zw - u_target.xy * exp2(level) * 0.5;
    vec4 behind = textureLod(u_behind, min(gl_FragCoord.xy * u_target.xy, limit), level);
    behind.rgb += (1.0 - behind.a) * u_backgroundRadiance.rgb * u_backgroundRadiance.a;
    behind.a = mix(behind.a, 1.0, u_backgroundRadiance.a);
    vec3 through = s.baseColor * balance.below;
    float clear = (1.0 - behind.a) * transmission_factor * dot(through, vec3(1.0 / 3.0));
    return vec4(mix(diffuse.rgb, behind.rgb * through, transmission_factor), diffuse.a - clear);
}
#endif
