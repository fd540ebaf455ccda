// What a material is at this fragment: interpolated inputs and textures become one Surface, before any light.

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

struct Surface {
    vec3 position;       // world, metres
    vec3 view;           // unit, towards the camera
    mat3 frame;          // tangent, bitangent, geometric normal; facing the camera's side
    vec3 normal;         // unit, with the normal map
    float NdotV;
    vec3 baseColor;      // linear
    float alpha;
    float metallic;
    float roughness;     // perceptual
    float occlusion;     // 1 = open
    vec3 emissive;       // linear radiance
    vec3 dielectric;     // reflectance at normal incidence of its non-metallic part
    vec3 f0;             // reflectance at normal incidence
    float f90;
    vec3 albedo;         // diffuse colour
};

// Below this the highlight of a point light is smaller than a pixel and a float (Filament's bound).
const float MIN_ROUGHNESS = 0.045;

mat3 surface_frame() {
#if HAS_NORMAL
    vec3 n = normalize(v_normal);
#elif FLAT_NORMAL
    vec3 n = normalize(cross(dFdx(v_position), dFdy(v_position)));
#else
    vec3 n = normalize(u_cameraPosition.xyz - v_position); // points and lines without normals face the camera
#endif
#if HAS_TANGENT
    vec3 t = normalize(v_tangent.xyz - n * dot(n, v_tangent.xyz));
    vec3 b = cross(n, t) * v_tangent.w;
#else
    vec3 t = normalize(abs(n.y) < 0.99 ? vec3(n.z, 0.0, -n.x) : vec3(1.0, 0.0, 0.0));
    vec3 b = cross(n, t);
#endif
#if DOUBLE_SIDED && HAS_NORMAL
    if (!gl_FrontFacing) { t = -t; b = -b; n = -n; }
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
#if ALPHA_MASK
    if (color.a < u_alphaCutoff) discard;
#endif
    s.position = v_position;
    s.view = normalize(u_cameraPosition.xyz - v_position);
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
    s.dielectric = vec3(0.04); // ior 1.5
    s.f0 = mix(s.dielectric, s.baseColor, s.metallic);
    s.f90 = 1.0;
    s.albedo = s.baseColor * (1.0 - s.metallic);
    return s;
}
