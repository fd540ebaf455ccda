// KHR_materials_diffuse_transmission: a share of the diffuse light goes through the surface and leaves behind it, tinted.
float diffuse_transmission_factor;
vec3 diffuse_transmission_color;

void diffuse_transmission_info(inout Surface s) {
    diffuse_transmission_factor = u_diffuseTransmissionFactor;
#ifdef HAS_diffuseTransmissionTexture
    diffuse_transmission_factor *= sample_diffuseTransmissionTexture().a;
#endif
    diffuse_transmission_color = u_diffuseTransmissionColorFactor.rgb;
#ifdef HAS_diffuseTransmissionColorTexture
    diffuse_transmission_color *= sample_diffuseTransmissionColorTexture().rgb;
#endif
}

#if !TRACING
vec4 diffuse_transmission_diffuse(Surface s, vec4 diffuse) {
    vec3 light = environment_irradiance(-s.normal) * s.occlusion;
#if LIGHTS
    for (int i = 0; i < int(u_cameraPosition.w); ++i) {
        vec3 l;
        vec3 irradiance = punctual(i, s, l);
        light += irradiance * INV_PI * clamp(-dot(s.normal, l), 0.0, 1.0);
    }
#endif
    // Light comes through the whole thickness, whose other side is the only one that it sees.
    vec3 color = diffuse_transmission_color * volume_transmittance(volume_thickness) * (1.0 - s.metallic);
    return vec4(mix(diffuse.rgb, light * color * balance.below, diffuse_transmission_factor), diffuse.a);
}
#endif
