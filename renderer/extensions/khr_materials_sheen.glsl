// KHR_materials_sheen: the spherical-Gaussian-like lobe of cloth fibres, over everything but a clear coat.
vec3 sheen_color;
float sheen_roughness; // perceptual

// Below this the lobe is a line along the silhouette, thinner than a pixel.
const float MIN_SHEEN_ROUGHNESS = 0.07;

void sheen_info(inout Surface s) {
    sheen_color = u_sheenColorFactor.rgb;
#ifdef HAS_sheenColorTexture
    sheen_color *= sample_sheenColorTexture().rgb;
#endif
    sheen_roughness = u_sheenRoughnessFactor;
#ifdef HAS_sheenRoughnessTexture
    sheen_roughness *= sample_sheenRoughnessTexture().a;
#endif
    sheen_roughness = clamp(sheen_roughness, MIN_SHEEN_ROUGHNESS, 1.0);
}
