// One input of the material as a picture, without light (renderer/channels.py). The generated `channel.glsl` has its value.
#define CHANNEL 1
#include "common_view.glsl"
#include "common_brdf.glsl"
#include "common_environment.glsl"
#include "material.glsl"
#include "surface_info.glsl"
#include "surface_light.glsl"
#include "hooks.glsl"

uniform vec3 u_boxLow;  // of the model at rest, metres
uniform vec3 u_boxSize;

layout(location = 0) out vec4 o_color;

// What a primitive does not have is the middle of the scale: no direction.
vec3 vertex_tangent(Surface s) {
    return HAS_TANGENT == 1 ? s.frame[0] : vec3(0.0);
}

vec3 vertex_bitangent(Surface s) {
    return HAS_TANGENT == 1 ? s.frame[1] : vec3(0.0);
}

vec4 vertex_color() {
#if HAS_COLOR
    return v_color;
#else
    return vec4(1.0); // as glTF multiplies by it
#endif
}

// Along the camera's axis: 0 where the box around the model begins, 1 where it ends.
float view_depth(Surface s) {
    vec3 axis = u_cameraForward.xyz;
    float half_depth = 0.5 * dot(abs(axis), u_boxSize);
    float middle = dot(u_boxLow + 0.5 * u_boxSize, axis);
    return (dot(s.position, axis) - middle) / (2.0 * half_depth) + 0.5;
}

#include "channel.glsl"

void main() {
    Surface s = core_info();
    hooks_info(s);
    o_color = vec4(channel(s), 1.0);
}
