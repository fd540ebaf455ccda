// From radiance (1 = white paper at exposure 1) to display-linear [0, 1], and from there to sRGB.

#if TONE_MAPPING == 1
// Khronos 2024, "PBR Neutral Tone Mapper" specification: base colours below 0.8 come out as they went in.
vec3 tone_map(vec3 c) {
    const float start = 0.8 - 0.04; // 0.04: the Fresnel reflection that is taken off again
    const float desaturation = 0.15;
    float x = min(c.r, min(c.g, c.b));
    c -= x < 0.08 ? x - 6.25 * x * x : 0.04;
    float peak = max(c.r, max(c.g, c.b));
    if (peak < start) return c;
    float d = 1.0 - start;
    float compressed = 1.0 - d * d / (peak + d - start);
    c *= compressed / peak;
    float g = 1.0 - 1.0 / (desaturation * (peak - compressed) + 1.0);
    return mix(c, vec3(compressed), g);
}
#elif TONE_MAPPING == 2
// Stephen Hill's fit of the ACES reference and output transforms (2016), sRGB primaries, with its usual 1/0.6 exposure.
vec3 tone_map(vec3 c) {
    const mat3 to_rrt = mat3(0.59719, 0.07600, 0.02840, 0.35458, 0.90834, 0.13383, 0.04823, 0.01566, 0.83777);
    const mat3 from_odt = mat3(1.60475, -0.10208, -0.00327, -0.53108, 1.10813, -0.07276, -0.07367, -0.00605, 1.07602);
    c = to_rrt * (c / 0.6);
    c = (c * (c + 0.0245786) - 0.000090537) / (c * (0.983729 * c + 0.4329510) + 0.238081);
    return from_odt * c;
}
#elif TONE_MAPPING == 3
// Troy Sobotka's AgX, base look, with Benjamin Wrensch's polynomial fit of its contrast curve (2023).
vec3 tone_map(vec3 c) {
    const mat3 inset = mat3(0.856627153315983, 0.137318972929847, 0.11189821299995, 0.0951212405381588, 0.761241990602591,
                            0.0767994186031903, 0.0482516061458583, 0.101439036467562, 0.811302368396859);
    const mat3 outset = mat3(1.1271005818144368, -0.1413297634984383, -0.14132976349843826, -0.11060664309660323,
                             1.157823702216272, -0.11060664309660294, -0.016493938717834573, -0.016493938717834257,
                             1.2519364065950405);
    const mat3 to_2020 = mat3(0.6274, 0.0691, 0.0164, 0.3293, 0.9195, 0.0880, 0.0433, 0.0113, 0.8956);
    const mat3 to_709 = mat3(1.6605, -0.1246, -0.0182, -0.5876, 1.1329, -0.1006, -0.0728, -0.0083, 1.1187);
    c = log2(max(inset * (to_2020 * c), vec3(1e-10)));
    c = clamp((c + 12.47393) / (4.026069 + 12.47393), 0.0, 1.0); // stops below and above middle grey
    vec3 c2 = c * c, c4 = c2 * c2;
    c = 15.5 * c4 * c2 - 40.14 * c4 * c + 31.96 * c4 - 6.868 * c2 * c + 0.4298 * c2 + 0.1191 * c - 0.00232;
    return to_709 * pow(max(outset * c, vec3(0.0)), vec3(2.2));
}
#else
vec3 tone_map(vec3 c) { return c; }
#endif

// IEC 61966-2-1. Its power 1 / 2.4 as a least-squares fit over square roots, which every processor has in hardware:
// within 0.015 of a byte step on [0.0031308, 1].
vec3 srgb_encode(vec3 c) {
    vec3 s1 = sqrt(c), s2 = sqrt(s1), s3 = sqrt(s2);
    vec3 curve = 0.6445604 * s1 + 0.70994594 * s2 - 0.33605175 * s3 - 0.01848589 * c;
    return mix(12.92 * c, curve, step(0.0031308, c));
}
