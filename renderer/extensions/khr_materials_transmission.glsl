// KHR_materials_transmission: what lies behind, blurred by roughness and tinted, takes the place of diffuse light. With
// KHR_materials_volume it is seen through a solid, bent and absorbed, with KHR_materials_dispersion for each colour apart.
float transmission_factor;
float transmission_roughness; // 0 for clear glass

void transmission_info(inout Surface s) {
    transmission_factor = u_transmissionFactor;
#ifdef HAS_transmissionTexture
    transmission_factor *= sample_transmissionTexture().r;
#endif
    transmission_factor *= 1.0 - s.metallic;
    transmission_roughness = s.roughness > MIN_ROUGHNESS ? s.roughness : 0.0;
}

#if !TRACING
layout(binding = 3) uniform sampler2D u_behind; // what is drawn so far with mip levels, premultiplied; alpha 2: the environment

// How light from behind a solid reaches the eye.
struct Way {
    vec3 exit;      // where it enters, seen from the eye, world
    vec3 direction; // where it comes from
    float length;   // within the solid, metres
};

// How round the solid is here: 0 a plate with parallel sides, 1 a ball as thick as the volume says.
float solid_roundness(Surface s) {
    vec3 n = s.frame[2];
    float curvature = length(fwidth(n)) / max(length(fwidth(s.position)), 1e-9);
    return clamp(0.5 * curvature * volume_thickness, 0.0, 1.0);
}

// One refraction on each side, the far one estimated: that of a plate, of a ball, or between them.
Way way_through(Surface s, float ior, float roundness) {
    vec3 inside = refract(-s.view, s.normal, 1.0 / ior);
    float cosine = max(-dot(s.normal, inside), 1e-3);
    float way = volume_thickness * mix(1.0 / cosine, cosine, roundness);
    vec3 outward = normalize(mix(-s.normal, s.normal + 2.0 * cosine * inside, roundness));
    vec3 direction = refract(inside, -outward, ior);
    if (dot(direction, direction) < 0.5) direction = reflect(inside, outward);
    return Way(s.position + inside * way, direction, way);
}

// The picture behind at uv (0 … 1 over the drawn part): premultiplied, alpha as in u_behind.
vec4 behind_at(vec2 uv, float roughness) {
    // A lobe of roughness r spans a share of the picture that grows with r; level 0 is one pixel. Clear glass reads it
    // alone: renderer/passes/behind.py makes no other for it.
    float level = roughness * roughness * (float(textureQueryLevels(u_behind)) - 3.0);
    vec2 margin = u_target.xy * exp2(level) * 0.5;
    return textureLod(u_behind, clamp(uv * u_target.zw, margin, u_target.zw - margin), level);
}

// The same seen through a solid. Where only the environment is behind, its light comes from the bent direction itself.
vec4 behind_solid(Surface s, float ior, float roundness) {
    Way way = way_through(s, ior, roundness);
    float roughness = transmission_roughness * clamp(2.0 * ior - 2.0, 0.0, 1.0); // "Roughness", KHR_materials_volume: 0 for ior 1
    vec4 clip = u_viewProjection * vec4(way.exit, 1.0);
    vec4 behind = behind_at(clip.xy / max(clip.w, 1e-6) * 0.5 + 0.5, roughness);
    behind.rgb = mix(behind.rgb, environment_specular(way.direction, roughness), clamp(behind.a - 1.0, 0.0, 1.0));
    return vec4(behind.rgb * volume_transmittance(way.length), behind.a);
}

vec4 behind_surface(Surface s) {
    if (volume_thickness <= 0.0 || s.ior <= 0.0) return behind_at(gl_FragCoord.xy * u_target.xy / u_target.zw, transmission_roughness);
    float roundness = solid_roundness(s);
    vec4 green = behind_solid(s, s.ior, roundness);
#ifdef DISPERSION
    float spread = (s.ior - 1.0) * 0.025 * dispersion_value; // KHR_materials_dispersion, section "Implementation"
    vec4 red = behind_solid(s, max(s.ior - spread, 1.0), roundness), blue = behind_solid(s, s.ior + spread, roundness);
    return vec4(red.r, green.g, blue.b, green.a);
#else
    return green;
#endif
}

// rgb: the light that comes through, without the reflected part; a: how much the surface covers an empty background.
vec4 transmission_diffuse(Surface s, vec4 diffuse) {
    vec4 behind = behind_surface(s);
    behind.a = min(behind.a, 1.0);
    behind.rgb += (1.0 - behind.a) * u_backgroundRadiance.rgb * u_backgroundRadiance.a;
    behind.a = mix(behind.a, 1.0, u_backgroundRadiance.a);
    vec3 through = s.baseColor * balance.below;
    float clear = (1.0 - behind.a) * transmission_factor * dot(through, vec3(1.0 / 3.0));
    float share = transmission_factor / max(1.0 - s.metallic, 1e-4); // of what is no metal
    return vec4(mix(diffuse.rgb, behind.rgb * through * (1.0 - s.metallic), share), diffuse.a - clear);
}
#endif
