// Depth and nothing else. CUTOUT: what alphaMode MASK cuts away leaves none. LAYER 1: only what no opaque surface hides;
// 2: of that only what lies behind a layer; 0: everything.
#if CUTOUT
#include "common_view.glsl"
#include "material.glsl"
#if HAS_COLOR
in vec4 v_color;
#endif
#include "surface_cutout.glsl"
#endif
#if LAYER > 0
#include "surface_layer.glsl"
#endif

void main() {
#if LAYER > 0
    drop_hidden();
#endif
#if LAYER > 1
    drop_layer_and_nearer();
#endif
#if CUTOUT
    cut_out();
#endif
}
