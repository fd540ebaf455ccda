// KHR_materials_ior: Fresnel's reflectance at normal incidence, ((ior - 1) / (ior + 1))²; 0 stands for a perfect reflector.
void ior_info(inout Surface s) {
    s.ior = u_ior;
    float r = u_ior > 0.0 ? (u_ior - 1.0) / (u_ior + 1.0) : 1.0;
    s.dielectric = vec3(r * r);
    s.f0 = mix(s.dielectric, s.baseColor, s.metallic);
}
