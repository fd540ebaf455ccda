// One texture drawn to a layer of an array texture, through its own sampler.
layout(binding = 0) uniform sampler2D u_picture;
in vec2 v_uv;
layout(location = 0) out vec4 o_color;

void main() { o_color = texture(u_picture, v_uv); }
