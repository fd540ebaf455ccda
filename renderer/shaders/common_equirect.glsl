// Equirectangular coordinates: u = 0.5 + atan(z, x) / 2π, v from the top = 0.5 - asin(y) / π (docs/conventions.md).
#include "common_constants.glsl"

vec2 equirect_uv(vec3 d) {
    return vec2(0.5 + atan(d.z, d.x) * 0.5 * INV_PI, 0.5 - asin(clamp(d.y, -1.0, 1.0)) * INV_PI);
}
