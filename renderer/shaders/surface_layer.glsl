// Depth peeling, with depths compared exactly: the buffers hold 32-bit floats, as gl_FragCoord.z does. Where a layer has
// no surface its depth is 1.
#if SAMPLES > 1
layout(binding = 6) uniform sampler2DMS u_opaque;
layout(binding = 7) uniform sampler2DMS u_layer;
#define DEPTH_AT(picture) texelFetch(picture, ivec2(gl_FragCoord.xy), gl_SampleID).r
#else
layout(binding = 6) uniform sampler2D u_opaque;
layout(binding = 7) uniform sampler2D u_layer;
#define DEPTH_AT(picture) texelFetch(picture, ivec2(gl_FragCoord.xy), 0).r
#endif

// What lies in front of a layer or on it was drawn with it.
void drop_layer_and_nearer() {
    if (gl_FragCoord.z <= DEPTH_AT(u_layer)) discard;
}

void drop_hidden() {
    if (gl_FragCoord.z > DEPTH_AT(u_opaque)) discard;
}
