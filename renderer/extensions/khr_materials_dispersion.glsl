// KHR_materials_dispersion: 20 / Abbe number of what a volume holds; khr_materials_transmission.glsl refracts by it.
void dispersion_info(inout Surface s) {
    dispersion_value = u_dispersion;
}
