// One path for each pixel: a picture's light, followed back from the camera. Kajiya 1986, "The Rendering Equation";
// next-event estimation and multiple importance sampling after Veach 1997, "Robust Monte Carlo Methods for Light
// Transport Simulation".
#include "common_view.glsl"
#include "common_lights.glsl"
#include "common_brdf.glsl"
#include "trace_random.glsl"
#include "trace_scene.glsl"
#include "trace_material.glsl"
#include "surface_info.glsl"
#include "trace_hooks.glsl"
#include "trace_inputs.glsl"
#include "trace_light.glsl"
#include "trace_bsdf.glsl"

uniform mat4 u_cameraRays; // pixel (x, y, 0, 1) to a point on the ray, world
uniform int u_sample;
uniform bool u_skybox;     // the environment is the backdrop

layout(location = 0) out vec4 o_color;  // radiance, coverage
layout(location = 1) out vec4 o_guide;  // colour of what is seen, directly or as in a mirror; luminance squared
layout(location = 2) out vec4 o_normal; // its normal; how bright it is

// Surfaces at which a path may scatter, and at most pass straight through.
const int MAX_SCATTERS = 16, MAX_PASSES = 24;
// Scatters before a dim path may be ended early.
const int SURE_SCATTERS = 2;
// Beyond white differences of brightness do not show.
const float MAX_BRIGHTNESS = 64.0;
// Scattering denser than this, per steradian, is a mirror image, in which solid glass must bend what is behind it.
const float SHARP = 20.0;
// Directions towards the environment that are weighed up for a shadow ray, where the camera sees it and where not.
const int CANDIDATES = 8, CANDIDATES_INDIRECT = 2;
// Light after the first scatter is cut here: rare paths to tiny lights show as sparks long before they average out.
const float MAX_INDIRECT = 12.0;

vec3 radiance = vec3(0.0);
vec3 throughput = vec3(1.0);
int scatters = 0;
vec3 guide = vec3(0.0), guide_normal = vec3(0.0);
int wave = -1; // the one colour that the path still carries after dispersion
bool sharp = true; // only seen through mirrors and clear glass so far
float candidates = 1.0; // weighed up at the last scatter

void receive(vec3 light, int after) {
    light *= throughput;
    radiance += after > 0 ? light * min(1.0, MAX_INDIRECT / max(largest(light), 1e-6)) : light;
}

// Coverage of a surface: what its alpha lets through is not there.
float coverage(Surface s) {
    return has_flag(ALPHA_IS_MASK) ? (s.alpha < u_alphaCutoff ? 0.0 : 1.0) : has_flag(ALPHA_IS_BLEND) ? s.alpha : 1.0;
}

// What is left of light that came `way` metres to the back of a solid body's surface.
vec3 inside_volume(float way) {
    bool inside = !v_front && volume_thickness > 0.0 && volume_attenuationDistance > 0.0;
    return inside ? pow(volume_attenuationColor, vec3(way / volume_attenuationDistance)) : vec3(1.0);
}

// What comes of light on a straight way of `reach` metres.
vec3 visibility(vec3 origin, vec3 l, float reach) {
#if SEE_THROUGH
    vec3 left = vec3(1.0);
    for (int i = 0; i < MAX_PASSES; ++i) {
        Hit hit = nearest_hit(origin, l, reach, true);
        if (hit.triangle < 0) return left;
        if (texelFetch(u_triangles, 3 * hit.triangle).w == 0.0) return vec3(0.0);
        read_inputs(hit, l);
        Surface s = read_surface();
        vec3 share = vec3(1.0 - coverage(s));
        if (has_flag(IS_UNLIT)) share = vec3(1.0);
#ifdef TRANSMISSION
        bool solid = volume_thickness > 0.0;
        if (solid || s.roughness <= CLEAR_ROUGHNESS) { // straight on even through solid glass: its caustics are left out
            vec3 tint = solid ? sqrt(s.baseColor) : s.baseColor;
            share += (1.0 - share) * transmission_factor * tint * (1.0 - F_Schlick(s.dielectric, s.dielectric90, s.NdotV));
        }
        share *= inside_volume(hit.distance);
#endif
        left *= share;
        if (largest(left) < 0.01) return vec3(0.0);
        origin = v_position;
        reach -= hit.distance;
    }
    return vec3(0.0);
#else
    return nearest_hit(origin, l, reach, true).triangle < 0 ? vec3(1.0) : vec3(0.0);
#endif
}

// What a ray that meets nothing more finds. straight: it has not been reflected or scattered on its way from the
// camera, so that it sees the backdrop. Returns the coverage.
float arrive(vec3 direction, float density, bool straight) {
    if (straight && !u_skybox) {
        // Nothing in the way: the backdrop itself. Something clear: its colours, seen through that.
        if (throughput == vec3(1.0)) return 0.0;
        radiance += throughput * u_backgroundRadiance.rgb * u_backgroundRadiance.a;
        return mix(1.0 - min(luminance(throughput), 1.0), 1.0, u_backgroundRadiance.a);
    }
    if (sharp) guide = throughput * min(environment_radiance(direction), vec3(1.0));
    float other = density > 0.0 ? environment_density(direction) : 0.0;
    float balance = density > 0.0 ? density / (density + candidates * other) : 1.0;
    receive(environment_radiance(direction) * balance, scatters - 1);
    return 1.0;
}

// Light that may arrive straight from the environment and the punctual lights, and where from. Its BSDF is evaluated
// before any shadow ray, because that reads other materials into the same globals.
struct Direct {
    vec3 sky, sky_l, lamp, lamp_l, glow, glow_l;
    float reach;
    int emitter;
};

Direct direct_light(Surface s, Bsdf b) {
    Direct d;
    float chance, density, total = 0.0;
    // Of several directions one is followed, in proportion to what it would bring unshadowed (Talbot et al. 2005,
    // "Importance Resampling for Global Illumination").
    uint seed = random_next();
    float choice = random_one();
    int count = scatters == 0 ? CANDIDATES : CANDIDATES_INDIRECT;
    candidates = float(count);
    d.sky = vec3(0.0);
    for (int i = 0; i < count; ++i) {
        vec3 l = sample_environment(random_point(random_index * uint(count) + uint(i), seed), chance);
        vec3 light = evaluate(s, b, l, false, density) * environment_radiance(l);
        light /= candidates * chance + density; // the balance heuristic, over the chance
        float weight = luminance(light);
        total += weight;
        float share = weight / max(total, 1e-20);
        bool taken = choice < share;
        choice = taken ? choice / share : (choice - share) / max(1.0 - share, 1e-6);
        d.sky = taken ? light / weight : d.sky;
        d.sky_l = taken ? l : d.sky_l;
    }
    d.sky *= total;
    d.lamp = vec3(0.0);
#if LIGHTS
    d.lamp = sample_lights(s.position, random_one(), d.lamp_l, d.reach);
    d.lamp *= evaluate(s, b, d.lamp_l, true, density);
#endif
    d.glow = vec3(0.0);
#if EMITTERS
    d.glow_l = sample_emitters(s.position, random_pair(), d.emitter, chance);
    d.glow = evaluate(s, b, d.glow_l, false, density) / (chance + density);
#endif
    return d;
}

#if EMITTERS
// What a triangle sends the way a ray comes from, if nothing is in between.
vec3 emitted(vec3 origin, vec3 l, int triangle) {
    Hit hit = nearest_hit(origin, l, 1e30, false);
    if (hit.triangle != triangle) return vec3(0.0);
    read_inputs(hit, l);
    return read_surface().emissive;
}
#endif

// Origins of rays that leave a surface on the side of the viewer and on the other.
vec3 origin_towards(vec3 l, vec3 normal, vec3 above, vec3 below) {
    return dot(l, normal) > 0.0 ? above + normal * u_epsilon : below - normal * u_epsilon;
}

void main() {
    random_seed = random_hash(uint(gl_FragCoord.x) ^ random_hash(uint(gl_FragCoord.y)));
    random_index = uint(u_sample);
    random_dimension = 0u;
    vec4 ahead = u_cameraRays * vec4(floor(gl_FragCoord.xy) + random_pair(), 0.0, 1.0);
    vec3 origin = u_cameraPosition.xyz, direction = normalize(ahead.xyz / ahead.w - origin);
    float density = 0.0, travelled = 0.0, alpha = 0.0;
    bool straight = true, seen = true; // straight: only passed or transmitted so far; seen: only passed
    for (int i = 0; i < MAX_SCATTERS + MAX_PASSES && scatters < MAX_SCATTERS; ++i) {
        Hit hit = nearest_hit(origin, direction, 1e30, false);
        if (hit.triangle < 0) {
            alpha = arrive(direction, density, straight);
            break;
        }
        read_inputs(hit, direction);
        Surface s = read_surface();
        travelled += hit.distance;
        bool solid = volume_thickness > 0.0;
        bool culled = seen && !v_front && !solid && !has_flag(IS_DOUBLE_SIDED);
        bool unseen = has_flag(IS_UNLIT) && !straight; // it takes no part in the light of others
        if (culled || unseen || random_one() >= coverage(s)) {
            origin = v_position + direction * u_epsilon;
            continue;
        }
        alpha = 1.0;
        if (sharp) {
            guide = throughput * (s.baseColor + s.emissive);
            guide_normal = s.normal;
        }
        if (has_flag(IS_UNLIT)) {
            receive(s.baseColor, scatters);
            break;
        }
        throughput *= inside_volume(travelled);
#ifdef DISPERSION
        int bent = wave >= 0 ? wave : min(int(random_one() * 3.0), 2);
        s.ior += (s.ior - 1.0) * 0.025 * dispersion_value * float(bent - 1); // KHR_materials_dispersion, "Dispersion"
        bool splits = dispersion_value > 0.0 && wave < 0;
#endif
        // After a wide scatter light was looked for straight through solid bodies; so the path goes there straight too.
        Bsdf b = prepare(s, density == 0.0 || density > SHARP, seen);
        float balance = 1.0;
#if EMITTERS
        float emitter_chance = material_row(MATERIAL_ROWS - 1).y;
        if (density > 0.0 && emitter_chance > 0.0) {
            balance = density / (density + emitter_density(emitter_chance, geometric_normal, direction, travelled));
        }
#endif
        receive(s.emissive * b.below * balance, scatters);
        Direct direct = direct_light(s, b);
        vec3 normal = geometric_normal, above = smooth_position, below = v_position, weight, l;
        float next_density;
        int event = scatter(s, b, random_one(), random_pair(), l, weight, next_density);
        ++scatters;
        if (largest(direct.sky) > 0.0) {
            receive(direct.sky * visibility(origin_towards(direct.sky_l, normal, above, below), direct.sky_l, 1e30), scatters - 1);
        }
#if LIGHTS
        if (largest(direct.lamp) > 0.0) {
            receive(direct.lamp * visibility(origin_towards(direct.lamp_l, normal, above, below), direct.lamp_l, direct.reach - 2.0 * u_epsilon), scatters - 1);
        }
#endif
#if EMITTERS
        if (largest(direct.glow) > 0.0) {
            receive(direct.glow * emitted(origin_towards(direct.glow_l, normal, above, below), direct.glow_l, direct.emitter), scatters - 1);
        }
#endif
        if (event == ABSORBED) break;
        throughput *= weight;
#ifdef DISPERSION
        if (splits && event == REFRACTED) {
            wave = bent;
            throughput *= vec3(bent == 0, bent == 1, bent == 2) * 3.0;
        }
#endif
        if (scatters > SURE_SCATTERS) {
            float chance = clamp(largest(throughput), 0.05, 0.95);
            if (random_one() >= chance) break;
            throughput /= chance;
        }
        if (event != PASSED) {
            density = next_density;
            sharp = sharp && (density == 0.0 || density > SHARP);
            seen = false;
            straight = straight && event == REFRACTED;
        } else {
            --scatters;
        }
        travelled = 0.0;
        origin = origin_towards(l, normal, above, below);
        direction = l;
    }
    o_color = vec4(radiance, alpha);
    if (any(isnan(o_color)) || any(isinf(o_color))) o_color = vec4(0.0, 0.0, 0.0, 1.0);
    float brightness = min(luminance(o_color.rgb), MAX_BRIGHTNESS);
    o_guide = vec4(min(guide, vec3(1.0)), brightness * brightness);
    o_normal = vec4(guide_normal, brightness);
}
