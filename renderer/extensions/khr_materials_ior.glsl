// KHR_materials_ior: Fresnel's reflectance at normal incidence, ((ior - 1) / (ior + 1))²; 0 stands for a perfect reflector.
void ior_info(inout Surface s) {
    s.ior = u_ior;
    float r = u_ior > 0.0 ? abs(u_ior - 1.0) / (u_ior + 1.0) : 1.0;
    s.dielectric = vec3(r * r);
    // Schlick's curve always ends at 1, but matter that hardly bends light hardly reflects it at any angle: the end with
    // which the curve reflects as much light from all around as Fresnel's equations do, within 0.04.
    s.dielectric90 = min((1.0 - exp(-16.0 * r)) / (1.0 - exp(-3.2)), 1.0);
    s.f0 = mix(s.dielectric, s.baseColor, s.metallic);
    s.f90 = mix(s.dielectric90, 1.0, s.metallic);
}
