// KHR_materials_iridescence: interference in a thin film over the base material.
float iridescence_factor;
float iridescence_ior;
float iridescence_thickness; // nanometres

void iridescence_info(inout Surface s) {
    iridescence_factor = u_iridescenceFactor;
#ifdef HAS_iridescenceTexture
    iridescence_factor *= sample_iridescenceTexture().r;
#endif
    iridescence_ior = u_iridescenceIor;
    iridescence_thickness = u_iridescenceThicknessMaximum;
#ifdef HAS_iridescenceThicknessTexture
    iridescence_thickness = mix(u_iridescenceThicknessMinimum, u_iridescenceThicknessMaximum,
                                sample_iridescenceThicknessTexture().g);
#endif
    iridescence_factor = iridescence_thickness > 0.0 ? iridescence_factor : 0.0;
}
