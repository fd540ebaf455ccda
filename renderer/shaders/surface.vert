// Model to clip space. Each draw command's instance brings its own transform (rows of an affine matrix).
#include "common_view.glsl"

layout(location = 0) in vec3 a_position;
layout(location = 1) in vec4 a_normal;
layout(location = 2) in vec4 a_tangent; // w: sign of the bitangent
layout(location = 3) in vec2 a_texcoord0;
layout(location = 4) in vec2 a_texcoord1;
layout(location = 5) in vec4 a_color;
layout(location = 6) in vec4 a_model0;
layout(location = 7) in vec4 a_model1;
layout(location = 8) in vec4 a_model2;

invariant gl_Position; // passes that compare depth for equality use different programs
out vec3 v_position;
flat out float v_scale; // metres in the world of one in the model
#if HAS_NORMAL
out vec3 v_normal;
#endif
#if HAS_TANGENT
out vec4 v_tangent;
#endif
#if HAS_TEXCOORD0
out vec2 v_texcoord0;
#endif
#if HAS_TEXCOORD1
out vec2 v_texcoord1;
#endif
#if HAS_COLOR
out vec4 v_color;
#endif

void main() {
    vec4 p = vec4(a_position, 1.0);
    v_position = vec3(dot(a_model0, p), dot(a_model1, p), dot(a_model2, p));
    gl_Position = u_viewProjection * vec4(v_position, 1.0);
    gl_PointSize = 1.0;
    mat3 model = transpose(mat3(a_model0.xyz, a_model1.xyz, a_model2.xyz));
    v_scale = pow(abs(determinant(model)), 1.0 / 3.0);
#if HAS_NORMAL
    // The cofactor matrix carries normals right through any scale, without an inverse; the sign keeps mirrored ones outside.
    mat3 cofactor = mat3(cross(model[1], model[2]), cross(model[2], model[0]), cross(model[0], model[1]));
    v_normal = cofactor * a_normal.xyz * sign(dot(model[0], cofactor[0]));
#endif
#if HAS_TANGENT
    v_tangent = vec4(model * a_tangent.xyz, a_tangent.w * sign(dot(model[0], cross(model[1], model[2]))));
#endif
#if HAS_TEXCOORD0
    v_texcoord0 = a_texcoord0;
#endif
#if HAS_TEXCOORD1
    v_texcoord1 = a_texcoord1;
#endif
#if HAS_COLOR
    v_color = a_color;
#endif
}
