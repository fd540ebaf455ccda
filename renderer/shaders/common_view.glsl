// What is the same for every surface of one frame. Filled by renderer/camera.py; the two must agree.
const int MAX_LIGHTS = 16;

struct Light {
    vec4 position;   // xyz: metres, w: 0 directional, 1 point, 2 spot
    vec4 direction;  // xyz: unit, the way the light shines, w: range in metres, 0 = unlimited
    vec4 color;      // rgb: linear colour times intensity (cd or lux), w: first shadow layer, -1: none
    vec4 cone;       // x: scale, y: offset of the spot's angular falloff
};

layout(std140, binding = 0) uniform View {
    mat4 u_viewProjection;     // world to clip, with the sub-pixel jitter
    vec4 u_cameraPosition;     // xyz: metres, w: number of lights
    vec4 u_cameraForward;      // xyz: unit, w: radiance scale of the environment
    vec4 u_backgroundRadiance; // rgb: linear, a: 1 when the background is opaque
    vec4 u_target;             // xy: 1 / size of the target in pixels, zw: size of the drawn part / size of the target
    vec4 u_display;            // rgb: linear display values of the background, a: exposure
    Light u_lights[MAX_LIGHTS];
};
