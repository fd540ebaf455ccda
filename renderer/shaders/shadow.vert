// Model to the clip space of one shadow layer.
uniform mat4 u_layerMatrix;
layout(location = 0) in vec3 a_position;
layout(location = 3) in vec2 a_texcoord0;
layout(location = 4) in vec2 a_texcoord1;
layout(location = 5) in vec4 a_color;
layout(location = 6) in vec4 a_model0;
layout(location = 7) in vec4 a_model1;
layout(location = 8) in vec4 a_model2;

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
    gl_Position = u_layerMatrix * vec4(dot(a_model0, p), dot(a_model1, p), dot(a_model2, p), 1.0);
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
