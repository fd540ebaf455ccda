// Directions of cube map texels, OpenGL 4.5 specification table 8.19 read backwards.
// st: [-1, 1] across the face, t growing with the row.
vec3 cube_direction(int face, vec2 st) {
    switch (face) {
        case 0: return normalize(vec3(1.0, -st.y, -st.x));
        case 1: return normalize(vec3(-1.0, -st.y, st.x));
        case 2: return normalize(vec3(st.x, 1.0, st.y));
        case 3: return normalize(vec3(st.x, -1.0, -st.y));
        case 4: return normalize(vec3(st.x, -st.y, 1.0));
        default: return normalize(vec3(-st.x, -st.y, -1.0));
    }
}
