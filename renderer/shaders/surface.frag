// A lit surface. The generated `material.glsl` brings uniforms, samplers and the calls of the extensions' hooks.
#include "common_view.glsl"
#include "common_brdf.glsl"
#include "common_environment.glsl"
#include "material.glsl"
#include "surface_info.glsl"
#include "surface_light.glsl"
#include "hooks.glsl"
#if SKY
#include "surface_sky.glsl"
#endif
#if OCCLUSION
#include "surface_occlusion.glsl"
#endif
#if PEELED
#include "surface_layer.glsl"
#endif

#if DISPLAY
#include "common_display.glsl"

layout(location = 0) out vec4 o_color; // as a screen shows it; only what is opaque is drawn this way

vec4 shown(vec4 radiance) {
    return vec4(srgb_encode(clamp(tone_map(radiance.rgb * u_display.a), 0.0, 1.0)), 1.0);
}
#else
layout(location = 0) out vec4 o_color; // linear radiance, premultiplied

vec4 shown(vec4 radiance) { return radiance; }
#endif

void main() {
#if PEELED
    drop_layer_and_nearer();
#endif
    Surface s = core_info();
#if UNLIT
    o_color = shown(vec4(s.baseColor, 1.0) * s.alpha);
#else
    hooks_info(s);
    s.roughness = widened_roughness(s.roughness, s.normal);
    hooks_prepare(s);
#if SKY
    Sky_ratio open = see_sky(s);
    float occlusion = s.occlusion;
    s.occlusion = open.diffuse;
    sky_mirrored = open.mirrored;
#endif
#if OCCLUSION
    s.occlusion = min(s.occlusion, seen_open());
#endif
    balance = surface_balance(s);
    Lighting sum = environment_light(s);
#if SKY
    sum.specular += balance.reflected * sky_hidden_reflection(s, occlusion, open);
#endif
#if OCCLUSION
    sum.specular += balance.reflected * hidden_reflection(s);
    sum.diffuse *= bounced(s.occlusion, s.albedo) / max(s.occlusion, 1e-4);
#endif
#if LIGHTS
    for (int i = 0; i < int(u_cameraPosition.w); ++i) {
        vec3 l;
        vec3 irradiance = punctual(i, s, l);
        Lighting one = punctual_light(s, l);
        sum.diffuse += one.diffuse * irradiance;
        sum.specular += one.specular * irradiance;
    }
#endif
    vec4 color = hooks_compose(s, sum);
    o_color = shown(color * s.alpha);
#endif
}
