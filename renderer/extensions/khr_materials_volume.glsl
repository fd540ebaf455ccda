// KHR_materials_volume: the inside of a closed surface. Transmission (khr_materials_transmission.glsl) and diffuse
// transmission read it. Without this extension a surface is a thin wall: volume_thickness is 0.
#if !TRACING
flat in float v_scale;
#endif

void volume_info(inout Surface s) {
    volume_thickness = u_thicknessFactor;
#ifdef HAS_thicknessTexture
    volume_thickness *= sample_thicknessTexture().g;
#endif
#if !TRACING
    volume_thickness *= v_scale; // given in the model's own space
#endif
    volume_attenuationColor = u_attenuationColor.rgb;
    volume_attenuationDistance = u_attenuationDistance;
}
