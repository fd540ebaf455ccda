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
