// The punctual lights of KHR_lights_punctual, unshadowed.

// Irradiance of light i at the surface; l: unit, towards the light. KHR_lights_punctual, "Range" and "Inner and outer cone angles".
vec3 unshadowed(int i, vec3 position, out vec3 l) {
    Light light = u_lights[i];
    if (light.position.w < 0.5) {
        l = -light.direction.xyz;
        return light.color.rgb;
    }
    vec3 to = light.position.xyz - position;
    float d2 = max(dot(to, to), 1e-6);
    l = to * inversesqrt(d2);
    float window = 1.0;
    if (light.direction.w > 0.0) {
        float r2 = d2 / (light.direction.w * light.direction.w);
        window = clamp(1.0 - r2 * r2, 0.0, 1.0);
    }
    if (light.position.w > 1.5) {
        float cone = clamp(dot(light.direction.xyz, -l) * light.cone.x + light.cone.y, 0.0, 1.0);
        window *= cone * cone;
    }
    return light.color.rgb * window / d2;
}
