// How a Surface scatters: the glTF material (specification appendix B) and its layers as lobes that can be evaluated and
// sampled. Lobes that change the side a ray is on are only sampled. Vectors named *_l are local: z along the normal.
#include "common_brdf.glsl"
#include "common_sampling.glsl"

layout(binding = 1) uniform sampler2D u_dfg;

// What became of a ray at a surface.
const int ABSORBED = 0, SCATTERED = 1, REFRACTED = 2, PASSED = 3, MIRRORED = 4; // PASSED: straight on

// Thin glass this smooth does not blur what is seen through it.
const float CLEAR_ROUGHNESS = 0.1;
// Share of samples that a lobe gets at least, if it is there at all.
const float LEAST_SHARE = 0.02;
// And what glass mirrors where the camera sees it: its reflections of lamps are bright, what is behind it is mostly even.
const float LEAST_MIRRORED = 0.2;

struct Bsdf {
    mat3 frame;        // of mirror images: tangent, bitangent, normal
    vec3 view_l;
    vec2 alpha;        // GGX widths along tangent and bitangent
    vec3 f0;
    float f90;
    float eta;         // of the far side over this one; 0 for a thin wall or a closed surface
    vec3 boost;        // what scattering between microfacets adds to the specular lobe
    float passing_boost; // and to what a rough thin wall lets through
    vec3 diffuse;      // colour, what the layers above take already taken
    vec3 behind;       // diffuse colour on the other side
    vec3 through;      // colour of what passes, before Fresnel
    bool clear;        // what passes goes straight on
    float least_mirrored; // share of samples of glass that are mirrored at least
    float below;       // share of light that the coat lets through to everything else
    float coat_boost;  // what scattering between microfacets adds to the coat's lobe
    float cloth;       // share that the sheen lets through to the base
    vec4 chances;      // of sampling: specular, diffuse, behind, through
    vec2 layer_chances; // coat, sheen
};

float luminance(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
float largest(vec3 c) { return max(c.r, max(c.g, c.b)); }

// environment_dfg.frag's table: its lower half is GGX's, its upper half the sheen's.
float table_row(float roughness) { return 0.5 * (clamp(roughness, 0.0, 1.0) * float(DFG_SIZE - 1) + 0.5) / float(DFG_SIZE); }
vec2 split_sum(float NdotV, float roughness) { return textureLod(u_dfg, vec2(NdotV, table_row(roughness)), 0.0).xy; }

// Light from all around that a lobe with this Fresnel reflectance sends to the eye.
vec3 directional_albedo(vec3 f0, float f90, vec2 lobe, float roughness) {
    return min((f0 * lobe.x + f90 * lobe.y) * multiple_scattering(f0, f90, lobe.x + lobe.y, roughness), vec3(1.0));
}

// Unpolarised Fresnel reflectance; eta: index beyond over index here.
float fresnel_dielectric(float cosine, float eta) {
    float g2 = eta * eta - 1.0 + cosine * cosine;
    if (g2 <= 0.0) return 1.0;
    float g = sqrt(g2), a = (g - cosine) / (g + cosine), b = ((g + cosine) * cosine - 1.0) / ((g - cosine) * cosine + 1.0);
    return 0.5 * a * a * (1.0 + b * b);
}

vec3 specular_fresnel(Surface s, Bsdf b, float cosine) {
    vec3 f = F_Schlick(b.f0, b.f90, cosine);
    if (b.eta > 0.0) {
        float r = (s.ior - 1.0) / (s.ior + 1.0), exact = fresnel_dielectric(cosine, b.eta);
        f = exact >= 1.0 ? vec3(1.0) : min(exact * b.f0 / max(r * r, 1e-4), vec3(1.0));
    }
#ifdef IRIDESCENCE
    f = mix(f, iridescent_fresnel(cosine, b.f0), iridescence_factor);
#endif
    return f;
}

// GGX with two widths (Heitz 2014, section 5.3): microfacets facing h, and light lost to them on the way in and out.
float ggx_facets(vec3 h, vec2 a) {
    vec3 k = vec3(h.xy / a, h.z);
    float d = dot(k, k);
    return INV_PI / (a.x * a.y * d * d);
}
float ggx_lambda(vec3 v, vec2 a) {
    vec2 k = a * v.xy / max(abs(v.z), 1e-4);
    return 0.5 * (sqrt(1.0 + dot(k, k)) - 1.0);
}

// A microfacet normal among those visible from v (Dupuy and Benyoub 2023, "Sampling Visible GGX Normals with
// Spherical Caps").
vec3 sample_facet(vec3 v, vec2 a, vec2 u) {
    vec3 w = normalize(vec3(v.xy * a, v.z));
    float phi = 2.0 * PI * u.x, z = (1.0 - u.y) * (1.0 + w.z) - w.z, sine = sqrt(clamp(1.0 - z * z, 0.0, 1.0));
    vec3 h = vec3(sine * cos(phi), sine * sin(phi), z) + w;
    return normalize(vec3(h.xy * a, max(h.z, 1e-6)));
}
// Density of a mirrored direction when its microfacet comes from `sample_facet`.
float ggx_density(vec3 v, vec3 h, vec2 a) {
    return ggx_facets(h, a) / (4.0 * v.z * (1.0 + ggx_lambda(v, a)));
}
// BRDF without Fresnel, times NdotL.
float ggx_lobe(vec3 v, vec3 l, vec3 h, vec2 a) {
    return ggx_facets(h, a) / (4.0 * v.z * (1.0 + ggx_lambda(v, a) + ggx_lambda(l, a)));
}

vec3 sample_cosine(vec2 u) {
    float r = sqrt(u.x), phi = 2.0 * PI * u.y;
    return vec3(r * cos(phi), r * sin(phi), sqrt(max(0.0, 1.0 - u.x)));
}

// A normal whose mirror image would come from below the surface is bent just far enough.
vec3 mirroring_normal(Surface s, vec3 normal) {
    vec3 mirrored = reflect(-s.view, normal);
    float under = dot(mirrored, geometric_normal) - 0.01;
    return under < 0.0 ? normalize(s.view + normalize(mirrored - under * geometric_normal)) : normal;
}

mat3 mirror_frame(Surface s) {
    vec3 n = mirroring_normal(s, s.normal);
#ifdef ANISOTROPY
    vec3 t = anisotropy_tangent - n * dot(n, anisotropy_tangent);
    if (dot(t, t) > 1e-8) {
        t = normalize(t);
        return mat3(t, cross(n, t), n);
    }
#endif
    return basis(n);
}

// bends: a solid body refracts; otherwise it lets light straight through, as it does for shadow rays. seen: by the camera
// itself, or through thin glass.
Bsdf prepare(Surface s, bool bends, bool seen) {
    Bsdf b;
    b.frame = mirror_frame(s);
    b.view_l = s.view * b.frame;
    b.view_l.z = max(b.view_l.z, 1e-3);
    b.alpha = vec2(s.roughness * s.roughness);
#ifdef ANISOTROPY
    b.alpha = anisotropy_alpha(s);
#endif
    b.f0 = s.f0;
    b.f90 = s.f90;
    float transmission = 0.0;
#ifdef TRANSMISSION
    transmission = transmission_factor; // of all light; the metal's share is taken off
#endif
    bool solid = volume_thickness > 0.0, thick = bends && solid && transmission > 0.0 && s.ior > 0.0;
    b.eta = thick ? (v_front ? s.ior : 1.0 / s.ior) : 0.0;
    b.clear = s.roughness <= CLEAR_ROUGHNESS || (solid && !bends);
    float roughness = sqrt(sqrt(b.alpha.x * b.alpha.y)); // of the isotropic lobe with the same area
    vec2 lobe = split_sum(b.view_l.z, roughness);
#ifdef ANISOTROPY
    // Between the lobes of both widths: within 5 % of the stretched one's albedo, the isotropic one misses 37 %.
    lobe = sqrt(split_sum(b.view_l.z, sqrt(b.alpha.x)) * split_sum(b.view_l.z, sqrt(b.alpha.y)));
#endif
    vec3 facing = specular_fresnel(s, b, b.view_l.z);
    vec3 outer = directional_albedo(s.dielectric, s.dielectric90, lobe, roughness);
    vec3 reflected = mix(outer, directional_albedo(s.metal, 1.0, lobe, roughness), s.metallic);
    vec3 once = s.dielectric * lobe.x + s.dielectric90 * lobe.y;
    b.passing_boost = (1.0 - largest(outer)) / max(lobe.x + lobe.y - largest(once), 1e-3);
    b.boost = reflected / max(s.f0 * lobe.x + s.f90 * lobe.y, 1e-6);
#ifdef IRIDESCENCE
    reflected = mix(reflected, facing * (lobe.x + lobe.y) * b.boost, iridescence_factor);
    outer = mix(outer, iridescent_fresnel(b.view_l.z, s.dielectric) * (lobe.x + lobe.y), iridescence_factor);
#endif
    if (thick) reflected = facing;
    // Only the dielectric part has light left for what lies below it: a metal takes all that it does not reflect.
    float rest = max(1.0 - largest(outer), 0.0) * (1.0 - transmission / max(1.0 - s.metallic, 1e-3));
    b.behind = vec3(0.0);
#ifdef DIFFUSE_TRANSMISSION
    b.behind = diffuse_transmission_color * ((1.0 - s.metallic) * rest * diffuse_transmission_factor);
    rest *= 1.0 - diffuse_transmission_factor;
#endif
    b.diffuse = s.albedo * rest;
    // A ray crosses the tint of a solid body twice, that of a thin wall once.
    b.through = transmission * (solid ? sqrt(s.baseColor) : s.baseColor);
    b.below = b.cloth = 1.0;
    b.layer_chances = vec2(0.0);
#ifdef SHEEN
    float fibres = textureLod(u_dfg, vec2(b.view_l.z, 0.5 + table_row(sheen_roughness)), 0.0).x;
    b.cloth = 1.0 - min(largest(sheen_color) * fibres, 1.0);
    b.layer_chances.y = luminance(sheen_color) * fibres;
#endif
#ifdef CLEARCOAT
    vec2 coat = split_sum(clearcoat_NdotV, clearcoat_roughness);
    float taken = clearcoat_factor * directional_albedo(vec3(0.04), 1.0, coat, clearcoat_roughness).x;
    b.coat_boost = taken / max(clearcoat_factor * (0.04 * coat.x + coat.y), 1e-6);
    b.below = 1.0 - taken;
    b.layer_chances = vec2(taken, b.layer_chances.y * b.below);
#endif
    b.chances = vec4(luminance(reflected), luminance(b.diffuse), luminance(b.behind), luminance(b.through) * (1.0 - luminance(facing)));
    if (thick) b.chances.xw = vec2(0.0, b.chances.x + b.chances.w); // one microfacet decides between the two
    b.least_mirrored = seen ? LEAST_MIRRORED : 0.0;
    if (seen && b.chances.w > 0.0 && !thick) b.chances.x = max(b.chances.x, LEAST_MIRRORED * b.chances.w);
    b.chances = mix(vec4(0.0), max(b.chances, LEAST_SHARE), greaterThan(b.chances, vec4(0.0))) * b.below * b.cloth;
    b.layer_chances = mix(vec2(0.0), max(b.layer_chances, LEAST_SHARE), greaterThan(b.layer_chances, vec2(0.0)));
    float sum = dot(b.chances, vec4(1.0)) + b.layer_chances.x + b.layer_chances.y;
    b.chances /= max(sum, 1e-6);
    b.layer_chances /= max(sum, 1e-6);
    return b;
}

// Light from direction l towards the viewer: BSDF times |cos|; density: of `scatter` choosing l.
// lamp: from a point, which no path meets by itself; then what bends light counts its mirror image here too.
vec3 evaluate(Surface s, Bsdf b, vec3 l, bool lamp, out float density) {
    vec3 l_l = l * b.frame;
    bool above = dot(l, geometric_normal) > 0.0;
    density = 0.0;
    float cosine = max(dot(l, above ? s.normal : -s.normal), 0.0);
    if (!above) {
        density = b.chances.z * cosine * INV_PI;
        vec3 sum = b.behind * (INV_PI * cosine);
        if (b.eta == 0.0 && !b.clear && l_l.z < -1e-5) { // a rough thin wall: the mirror lobe, on the other side
            vec3 mirrored = vec3(l_l.xy, -l_l.z), h = normalize(b.view_l + mirrored);
            vec3 passed = 1.0 - F_Schlick(s.dielectric, s.dielectric90, max(dot(b.view_l, h), 0.0));
            sum += b.through * passed * (b.passing_boost * ggx_lobe(b.view_l, mirrored, h, b.alpha));
            density += b.chances.w * ggx_density(b.view_l, h, b.alpha);
        }
        return sum * (b.below * b.cloth);
    }
    density = b.chances.y * cosine * INV_PI;
    vec3 sum = b.diffuse * (INV_PI * cosine * b.cloth);
    if (l_l.z > 1e-5) {
        vec3 h = normalize(b.view_l + l_l);
        vec3 specular = specular_fresnel(s, b, max(dot(b.view_l, h), 0.0)) * b.boost * ggx_lobe(b.view_l, l_l, h, b.alpha);
        if (b.eta == 0.0 || lamp) sum += specular * b.cloth;
        density += b.chances.x * ggx_density(b.view_l, h, b.alpha);
#ifdef SHEEN
        float alpha = sheen_roughness * sheen_roughness;
        sum += sheen_color * (sheen_facets(alpha, h.z) * sheen_visibility(alpha, b.view_l.z, l_l.z) * l_l.z);
#endif
    }
#ifdef SHEEN
    density += b.layer_chances.y * cosine * INV_PI;
#endif
    sum *= b.below;
#ifdef CLEARCOAT
    mat3 coat = basis(clearcoat_normal);
    vec3 cv = s.view * coat, cl = l * coat;
    cv.z = max(cv.z, 1e-3);
    if (cl.z > 1e-5) {
        vec3 h = normalize(cv + cl);
        vec2 a = vec2(clearcoat_roughness * clearcoat_roughness);
        sum += clearcoat_factor * b.coat_boost * F_Schlick(vec3(0.04), 1.0, max(dot(cv, h), 0.0)) * ggx_lobe(cv, cl, h, a);
        density += b.layer_chances.x * ggx_density(cv, h, a);
    }
#endif
    return sum;
}

// Straight on; or at the surface of what bends light mirrored or refracted by one microfacet, which keeps all of it: what
// leaves a microfacet on the wrong side meets others before it gets away, on the right one.
int pass_through(Surface s, Bsdf b, float choice, vec2 u, out vec3 l, out vec3 weight) {
    float kept = b.below * b.cloth / max(b.chances.w, 1e-6);
    l = -s.view;
    if (b.eta == 0.0) {
        weight = b.through * (1.0 - F_Schlick(s.dielectric, s.dielectric90, b.view_l.z)) * kept;
        return PASSED;
    }
    vec3 h = sample_facet(b.view_l, b.alpha, u);
    vec3 fresnel = specular_fresnel(s, b, max(dot(b.view_l, h), 0.0));
    vec3 bent = refract(-b.view_l, h, 1.0 / b.eta);
    float share = luminance(fresnel) / (luminance(fresnel) + luminance(b.through * (1.0 - fresnel)) + 1e-6);
    float mirrors = dot(bent, bent) == 0.0 ? 1.0 : share > 0.0 ? max(share, b.least_mirrored) : 0.0;
    bool mirrored = choice < mirrors;
    l = b.frame * (mirrored ? reflect(-b.view_l, h) : bent);
    float wrong = mirrored ? min(2.0 * dot(l, geometric_normal), 0.0) : max(2.0 * dot(l, geometric_normal), 0.0);
    l -= wrong * geometric_normal;
    weight = mirrored ? fresnel * (kept / mirrors) : b.through * (1.0 - fresnel) * (kept / (1.0 - mirrors));
    return mirrored ? MIRRORED : REFRACTED;
}

// Where the ray goes on. weight: BSDF times |cos| over density; density: 0 when it cannot be evaluated.
int scatter(Surface s, Bsdf b, float choice, vec2 u, out vec3 l, out vec3 weight, out float density) {
    density = 0.0;
    bool through = choice < b.chances.w;
    if (through && (b.clear || b.eta > 0.0)) return pass_through(s, b, choice / b.chances.w, u, l, weight);
    float behind = b.chances.w + b.chances.z;
    if (through || (choice >= behind && choice < behind + b.chances.x)) {
        vec3 l_l = reflect(-b.view_l, sample_facet(b.view_l, b.alpha, u));
        if (l_l.z <= 0.0) return ABSORBED; // given back by the lobes' boosts
        l = b.frame * vec3(l_l.xy, through ? -l_l.z : l_l.z);
    } else {
        vec3 l_l = sample_cosine(u);
        l = basis(s.normal) * vec3(l_l.xy, choice < behind ? -l_l.z : l_l.z);
    }
#ifdef CLEARCOAT
    if (choice >= 1.0 - b.layer_chances.x) {
        mat3 coat = basis(clearcoat_normal);
        vec3 cv = s.view * coat;
        cv.z = max(cv.z, 1e-3);
        l = coat * reflect(-cv, sample_facet(cv, vec2(clearcoat_roughness * clearcoat_roughness), u));
    }
#endif
    weight = evaluate(s, b, l, false, density);
    if (density <= 1e-9) return ABSORBED;
    weight /= density;
    return SCATTERED;
}
