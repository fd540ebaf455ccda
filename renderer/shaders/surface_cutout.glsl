// Alpha-tested edges (alphaMode MASK). A refined picture is an average of many jittered ones: each reads the texture
// itself and cuts hard, which averages to the true share of the pixel. A single picture reads a filtered alpha, but a
// level finer than a colour would be: what is thin is lost where its mean falls below the cut-off. With several samples
// a pixel the edge is spread over them. Golus 2017, "Anti-aliased Alpha Test: The Esoteric Alpha To Coverage".
uniform bool u_refined;

float cutout_alpha() {
    float alpha = u_baseColorFactor.a;
#if HAS_COLOR
    alpha *= v_color.a;
#endif
#ifdef HAS_baseColorTexture
    alpha *= sharp_baseColorTexture(u_refined ? 0.0 : max(level_baseColorTexture() - 1.0, 0.0)).a;
#endif
    return alpha;
}

void cut_out() {
    float alpha = cutout_alpha();
#if SPREAD
    float covered = clamp((alpha - u_alphaCutoff) / max(fwidth(alpha), 1e-4) + 0.5, 0.0, 1.0);
    int kept = u_refined ? int(alpha >= u_alphaCutoff) * SAMPLES : int(covered * float(SAMPLES) + 0.5);
    if (kept == 0) discard;
    gl_SampleMask[0] = (1 << kept) - 1;
#else
    if (alpha < u_alphaCutoff) discard;
#endif
}
