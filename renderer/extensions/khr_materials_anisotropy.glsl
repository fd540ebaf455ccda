// KHR_materials_anisotropy: GGX with two widths; the highlight is wider along the tangent.
float anisotropy_strength;
vec3 anisotropy_tangent;   // world, unit, perpendicular to the normal
vec3 anisotropy_bitangent;

void anisotropy_info(inout Surface s) {
    vec2 along = vec2(cos(u_anisotropyRotation), sin(u_anisotropyRotation));
    anisotropy_strength = u_anisotropyStrength;
#ifdef HAS_anisotropyTexture
    vec3 texel = sample_anisotropyTexture().rgb;
    vec2 way = texel.rg * 2.0 - 1.0;
    along = mat2(along.x, along.y, -along.y, along.x) * way;
    anisotropy_strength *= texel.b;
#endif
    vec3 t = s.frame[0] * along.x + s.frame[1] * along.y;
    anisotropy_bitangent = normalize(cross(s.normal, t) + 1e-8 * s.frame[1]);
    anisotropy_tangent = cross(anisotropy_bitangent, s.normal);
}

// Roughnesses α along the tangent and the bitangent ("Anisotropy", the extension's section "Implementation").
vec2 anisotropy_alpha(Surface s) {
    float alpha = s.roughness * s.roughness;
    return vec2(mix(alpha, 1.0, anisotropy_strength * anisotropy_strength), alpha);
}

#if !TRACING
vec2 anisotropy_widths;

void anisotropy_prepare(inout Surface s) {
    anisotropy_widths = anisotropy_alpha(s);
    s.roughness = sqrt(sqrt(anisotropy_widths.x * anisotropy_widths.y)); // of the isotropic lobe with the same area
}

float anisotropy_lobe(Surface s, vec3 l, vec3 h, float lobe) {
    mat3 frame = mat3(anisotropy_tangent, anisotropy_bitangent, s.normal);
    vec3 v = s.view * frame;
    vec3 light = l * frame;
    v.z = s.NdotV;
    light.z = max(light.z, 0.0);
    return D_GGX_anisotropic(anisotropy_widths, h * frame) * V_SmithGGX_anisotropic(anisotropy_widths, v, light);
}

vec3 anisotropy_reflection(Surface s, vec3 radiance) {
    if (anisotropy_strength <= 0.0) return radiance;
    // Two approximations of one lobe: where it is nearly round, the round one is the better.
    vec3 stretched = stretched_reflection(s, anisotropy_tangent, anisotropy_widths, 9);
    return mix(radiance, stretched, smoothstep(0.0, 0.2, anisotropy_strength));
}
#endif
