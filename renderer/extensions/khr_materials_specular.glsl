// KHR_materials_specular: scales and tints the reflectance that the index of refraction gives; metals are as they were.
void specular_info(inout Surface s) {
    float strength = u_specularFactor;
#ifdef HAS_specularTexture
    strength *= sample_specularTexture().a;
#endif
    vec3 color = u_specularColorFactor.rgb;
#ifdef HAS_specularColorTexture
    color *= sample_specularColorTexture().rgb;
#endif
    s.dielectric = min(s.dielectric * color, vec3(1.0)) * strength;
    s.f0 = mix(s.dielectric, s.baseColor, s.metallic);
    s.dielectric90 *= strength;
    s.f90 = mix(s.dielectric90, 1.0, s.metallic);
}
