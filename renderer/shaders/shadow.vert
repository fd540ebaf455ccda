// Model to the clip space of one shadow layer.
uniform mat4 u_layerMatrix;
layout(location = 0) in vec3 a_position;
layout(location = 6) in vec4 a_model0;
layout(location = 7) in vec4 a_model1;
layout(location = 8) in vec4 a_model2;

void main() {
    vec4 p = vec4(a_position, 1.0);
    gl_Position = u_layerMatrix * vec4(dot(a_model0, p), dot(a_model1, p), dot(a_model2, p), 1.0);
}
