// What a material is at one point: interpolated inputs and textures become one Surface, before any light. The
// rasteriser includes it (TRACING 0, inputs from the vertex shader) and so does the path tracer (TRACING 1, inputs are
// globals that it fills from the triangle a ray has hit).

#if TRACING
vec3 v_position;
vec3 v_normal;
vec4 v_tangent;
vec4 v_color;
vec3 v_view;  // unit, towards where the ray came from
bool v_front; // whether the ray came from the front side
#else
in vec3 v_position;
#if HAS_NORMAL
in vec3 v_normal;
#endif
#if HAS_TANGENT
in vec4 v_tangent;
#endif
#if HAS_COLOR
in vec4 v_color;
#endif
#define v_view normalize(u_cameraPosition.xyz - v_position)
#define v_front gl_FrontFacing
#if ALPHA_MASK
#include "surface_cutout.glsl"
#endif
#endif

struct Surface {
    vec3 position;       // world, metres
    vec3 view;           // unit, towards the camera
    mat3 frame;          // tangent, bitangent, geometric normal; facing the camera's side
    vec3 normal;         // unit, with the normal map
    float NdotV;
    vec3 baseColor;      // linear
    float alpha;         // coverage; 1 unless the material blends
    float metallic;
    float roughness;     // perceptual
    float occlusion;     // 1 = open
    vec3 emissive;       // linear radiance
    float ior;           // of what lies below the surface; 0 = a perfect reflector
    vec3 dielectric;     // reflectance at normal incidence of its non-metallic part
    float dielectric90;  // and at grazing incidence
    vec3 metal;          // reflectance at normal incidence of its metallic part
    vec3 f0;             // reflectance at normal incidence
    float f90;
    vec3 albedo;         // diffuse colour
};

// Of extensions, but read by others too: the inside of a closed surface. core_info() sets what a thin wall has.
float volume_thickness;            // metres along the normal; 0 = a thin wall
vec3 volume_attenuationColor;      // what remains of white light after volume_attenuationDistance
float volume_attenuationDistance;  // metres; 0 = infinite
float dispersion_value;            // 20 / Abbe number

// Beer–Lambert: what remains of light after a way through the volume, metres.
vec3 volume_transmittance(float way) {
    if (volume_attenuationDistance <= 0.0) return vec3(1.0);
    return pow(max(volume_attenuationColor, vec3(1e-6)), vec3(way / volume_attenuationDistance));
}

// Below this the highlight of a point light is smaller than a pixel and a float (Filament's bound).
#ifdef CHANNEL
const float MIN_ROUGHNESS = 0.0; // a picture of the roughness shows what the file says
#else
const float MIN_ROUGHNESS = 0.045;
#endif

mat3 surface_frame() {
#if HAS_NORMAL
    vec3 n = normalize(v_normal);
#elif FLAT_NORMAL
    vec3 n = normalize(cross(dFdx(v_position), dFdy(v_position)));
#else
    vec3 n = v_view; // points and lines without normals face the camera
#endif
#if HAS_TANGENT
    vec3 t = normalize(v_tangent.xyz - n * dot(n, v_tangent.xyz));
    vec3 b = cross(n, t) * v_tangent.w;
#else
    vec3 t = normalize(abs(n.y) < 0.99 ? vec3(n.z, 0.0, -n.x) : vec3(1.0, 0.0, 0.0));
    vec3 b = cross(n, t);
#endif
#if DOUBLE_SIDED && HAS_NORMAL
    if (!v_front) { t = -t; b = -b; n = -n; }
#endif
    return mat3(t, b, n);
}

// A tangent-space normal from a texture; scale bends x and y (glTF 2.0 §3.9.3).
vec3 mapped_normal(mat3 frame, vec3 texel, float scale) {
    vec3 n = texel * 2.0 - 1.0;
    return normalize(frame * (n * vec3(scale, scale, 1.0)));
}

vec4 base_color() {
    vec4 color = u_baseColorFactor;
#ifdef HAS_baseColorTexture
    color *= sample_baseColorTexture();
#endif
#if HAS_COLOR
    color *= v_color;
#endif
    return color;
}

Surface core_info() {
    Surface s;
    vec4 color = base_color();
#if ALPHA_MASK && !TRACING
    cut_out();
#endif
    s.position = v_position;
    s.view = v_view;
    s.frame = surface_frame();
    s.baseColor = color.rgb;
    s.alpha = ALPHA_BLEND == 1 ? color.a : 1.0;
    s.metallic = u_metallicFactor;
    s.roughness = u_roughnessFactor;
#ifdef HAS_metallicRoughnessTexture
    vec4 mr = sample_metallicRoughnessTexture();
    s.roughness *= mr.g;
    s.metallic *= mr.b;
#endif
    s.roughness = clamp(s.roughness, MIN_ROUGHNESS, 1.0);
    s.normal = s.frame[2];
#ifdef HAS_normalTexture
    s.normal = mapped_normal(s.frame, sample_normalTexture().xyz, u_normalTextureScale);
#endif
    s.NdotV = clamp(dot(s.normal, s.view), 1e-3, 1.0);
    s.occlusion = 1.0;
#ifdef HAS_occlusionTexture
    s.occlusion = 1.0 + u_occlusionTextureStrength * (sample_occlusionTexture().r - 1.0);
#endif
    s.emissive = u_emissiveFactor.rgb;
#ifdef HAS_emissiveTexture
    s.emissive *= sample_emissiveTexture().rgb;
#endif
#ifdef EMISSIVE_STRENGTH
    s.emissive *= u_emissiveStrength;
#endif
    s.ior = 1.5;
    s.dielectric = vec3(0.04);
    s.dielectric90 = 1.0;
    s.metal = s.baseColor;
    s.f0 = mix(s.dielectric, s.baseColor, s.metallic);
    s.f90 = 1.0;
    s.albedo = s.baseColor * (1.0 - s.metallic);
    volume_thickness = 0.0;
    volume_attenuationColor = vec3(1.0);
    volume_attenuationDistance = 0.0;
    dispersion_value = 0.0;
    return s;
}
