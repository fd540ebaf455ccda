// Morph targets and skins: each invocation makes one vertex of a shape. renderer/forms.py lays out what is read here.
layout(local_size_x = GROUP_SIZE) in;

layout(binding = 0) uniform usamplerBuffer u_plan;       // groups of vertices, then two texels for each job
layout(binding = 1) uniform usamplerBuffer u_source;     // words of the vertices at rest: position, then the record
layout(binding = 2) uniform usamplerBuffer u_influences; // joint, weight as the bits of a float
layout(binding = 3) uniform samplerBuffer u_morphs;      // displacements: by vertex, then by target
layout(binding = 4) uniform samplerBuffer u_pose;        // of each skin -1 if it mirrors, and three rows for each joint;
                                                         // then weights, four a texel
uniform int u_jobs; // where the jobs begin in the plan

layout(std430, binding = 0) writeonly buffer Positions { float b_positions[]; };
layout(std430, binding = 1) writeonly buffer Records { uint b_records[]; };

const float TINY = 1e-30;

struct Vertex {
    vec3 position;
    vec3 normal;
    vec4 tangent; // w: sign of the bitangent
#if MORPH_TEXCOORDS
    vec4 texcoords; // the first set, then the second
#endif
#if MORPH_COLOR
    vec4 color;
#endif
};

uint word(int at) { return texelFetch(u_source, at).x; }

vec3 unit(vec3 v) { return v * inversesqrt(max(dot(v, v), TINY)); }

Vertex rest(int at) {
    Vertex v;
    v.position = uintBitsToFloat(uvec3(word(at), word(at + 1), word(at + 2)));
    v.normal = vec3(0.0);
    v.tangent = vec4(0.0, 0.0, 0.0, 1.0);
#if HAS_NORMAL
    v.normal = vec3(unpackSnorm2x16(word(at + 3 + NORMAL)), unpackSnorm2x16(word(at + 4 + NORMAL)).x);
#endif
#if HAS_TANGENT
    v.tangent = vec4(unpackSnorm2x16(word(at + 3 + TANGENT)), unpackSnorm2x16(word(at + 4 + TANGENT)));
#endif
#if MORPH_TEXCOORDS
    v.texcoords = vec4(0.0);
    for (int i = 0; i < 2 * MORPH_TEXCOORDS; ++i) v.texcoords[i] = uintBitsToFloat(word(at + 3 + TEXCOORDS + i));
#endif
#if MORPH_COLOR
    v.color = vec4(unpackHalf2x16(word(at + 3 + COLOR)), unpackHalf2x16(word(at + 4 + COLOR)));
#endif
    return v;
}

vec3 three(int at) { return vec3(texelFetch(u_morphs, at).x, texelFetch(u_morphs, at + 1).x, texelFetch(u_morphs, at + 2).x); }

void morph(inout Vertex v, int at, int targets, int weights) {
    for (int i = 0; i < targets; ++i, at += MORPH_FLOATS) {
        float w = texelFetch(u_pose, weights + i / 4)[i % 4];
        if (w == 0.0) continue;
        v.position += w * three(at);
#if MORPH_NORMAL
        v.normal += w * three(at + MORPH_NORMAL);
#endif
#if MORPH_TANGENT
        v.tangent.xyz += w * three(at + MORPH_TANGENT);
#endif
#if MORPH_TEXCOORDS
        for (int j = 0; j < 2 * MORPH_TEXCOORDS; ++j) v.texcoords[j] += w * texelFetch(u_morphs, at + MORPH_TEXCOORD + j).x;
#endif
#if MORPH_COLOR
        for (int j = 0; j < 4; ++j) v.color[j] += w * texelFetch(u_morphs, at + MORPH_COLOR + j).x;
#endif
    }
#if MORPH_COLOR
    v.color = clamp(v.color, 0.0, 1.0);
#endif
}

void skin(inout Vertex v, int at, int count, int joints) {
    vec4 rows[3] = vec4[3](vec4(0.0), vec4(0.0), vec4(0.0));
    for (int i = 0; i < count; ++i) {
        uvec2 influence = texelFetch(u_influences, at + i).xy;
        float w = uintBitsToFloat(influence.y);
        int joint = joints + 1 + 3 * int(influence.x);
        for (int row = 0; row < 3; ++row) rows[row] += w * texelFetch(u_pose, joint + row);
    }
    vec4 p = vec4(v.position, 1.0);
    v.position = vec3(dot(rows[0], p), dot(rows[1], p), dot(rows[2], p));
    mat3 linear = transpose(mat3(rows[0].xyz, rows[1].xyz, rows[2].xyz));
    // The cofactor matrix carries normals right through any scale, without an inverse; the sign keeps mirrored ones outside.
    mat3 cofactor = mat3(cross(linear[1], linear[2]), cross(linear[2], linear[0]), cross(linear[0], linear[1]));
    float turns = dot(linear[0], cofactor[0]) < 0.0 ? -1.0 : 1.0;
    v.normal = cofactor * v.normal * turns;
    v.tangent = vec4(linear * v.tangent.xyz, v.tangent.w * turns);
}

void write(Vertex v, int vertex) {
    for (int i = 0; i < 3; ++i) b_positions[3 * vertex + i] = v.position[i];
    int at = RECORD * vertex;
#if HAS_NORMAL
    vec3 n = unit(v.normal);
    b_records[at + NORMAL] = packSnorm2x16(n.xy);
    b_records[at + NORMAL + 1] = packSnorm2x16(vec2(n.z, 0.0));
#endif
#if HAS_TANGENT
    vec3 t = unit(v.tangent.xyz);
    b_records[at + TANGENT] = packSnorm2x16(t.xy);
    b_records[at + TANGENT + 1] = packSnorm2x16(vec2(t.z, v.tangent.w));
#endif
#if MORPH_TEXCOORDS
    for (int i = 0; i < 2 * MORPH_TEXCOORDS; ++i) b_records[at + TEXCOORDS + i] = floatBitsToUint(v.texcoords[i]);
#endif
#if MORPH_COLOR
    b_records[at + COLOR] = packHalf2x16(v.color.xy);
    b_records[at + COLOR + 1] = packHalf2x16(v.color.zw);
#endif
}

// The vertex after morph targets and skin. places, shape: the two texels of its job.
Vertex deformed(int vertex, ivec4 places, ivec4 shape) {
    Vertex v = rest((places.x + vertex) * (3 + RECORD));
#if MORPH_FLOATS
    morph(v, places.w + vertex * shape.y * MORPH_FLOATS, shape.y, shape.w);
#endif
    if (shape.x > 0) skin(v, places.z + vertex * shape.x, shape.x, shape.z);
    return v;
}

void main() {
    int index = int(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x);
    if (index >= u_jobs) return;
    ivec4 group = ivec4(texelFetch(u_plan, index)); // job, first vertex, vertices, whether normals are the triangles' own
    int local = int(gl_LocalInvocationID.x);
    if (local >= group.z) return;
    ivec4 places = ivec4(texelFetch(u_plan, u_jobs + 2 * group.x));     // source vertex, vertex, influences, morphs
    ivec4 shape = ivec4(texelFetch(u_plan, u_jobs + 2 * group.x + 1));  // influences and targets each, joints, weights
    int vertex = group.y + local;
    Vertex v = deformed(vertex, places, shape);
    if (group.w != 0) { // the triangle's own normal
        int first = vertex - vertex % 3;
        vec3 corners[3];
        for (int i = 0; i < 3; ++i) corners[i] = deformed(first + i, places, shape).position;
        vec3 own = cross(corners[1] - corners[0], corners[2] - corners[0]);
        float turns = shape.x > 0 ? texelFetch(u_pose, shape.z).x : 1.0;
        if (dot(own, own) > 0.0) v.normal = own * turns;
    }
    write(v, places.y + vertex);
}
