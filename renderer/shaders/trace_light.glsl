// Where light comes from: the environment, picked in proportion to its brightness, and the punctual lights.
#include "common_equirect.glsl"

layout(binding = 0) uniform sampler2D u_equirect;
layout(binding = 2) uniform samplerBuffer u_chances; // running sums: rows of ENVIRONMENT_WIDTH, then one over the rows

vec3 environment_radiance(vec3 direction) {
    return textureLod(u_equirect, equirect_uv(direction), 0.0).rgb * u_cameraForward.w;
}

// The first of `count` running sums from `first` on that exceeds x.
int find_chance(int first, int count, float x) {
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high) >> 1;
        if (texelFetch(u_chances, first + middle).r > x) high = middle;
        else low = middle + 1;
    }
    return low;
}

// The share of x within step i of running sums, and the step's size.
vec2 within_chance(int first, int i, float x) {
    float below = i > 0 ? texelFetch(u_chances, first + i - 1).r : 0.0;
    float size = max(texelFetch(u_chances, first + i).r - below, 1e-12);
    return vec2(clamp((x - below) / size, 0.0, 1.0), size);
}

float environment_density(vec2 sizes, float y) {
    float sine = max(sin((y + 0.5) / float(ENVIRONMENT_HEIGHT) * PI), 1e-4);
    return sizes.x * sizes.y * float(ENVIRONMENT_WIDTH * ENVIRONMENT_HEIGHT) / (2.0 * PI * PI * sine);
}

// A direction towards bright parts; density: per steradian.
vec3 sample_environment(vec2 u, out float density) {
    const int rows = ENVIRONMENT_WIDTH * ENVIRONMENT_HEIGHT;
    int y = find_chance(rows, ENVIRONMENT_HEIGHT, u.y);
    vec2 row = within_chance(rows, y, u.y);
    int x = find_chance(y * ENVIRONMENT_WIDTH, ENVIRONMENT_WIDTH, u.x);
    vec2 column = within_chance(y * ENVIRONMENT_WIDTH, x, u.x);
    density = environment_density(vec2(column.y, row.y), float(y));
    float azimuth = ((float(x) + column.x) / float(ENVIRONMENT_WIDTH) - 0.5) * 2.0 * PI;
    float polar = (float(y) + row.x) / float(ENVIRONMENT_HEIGHT) * PI;
    return vec3(cos(azimuth) * sin(polar), cos(polar), sin(azimuth) * sin(polar));
}

// How likely `sample_environment` is to give a direction, per steradian.
float environment_density(vec3 direction) {
    vec2 uv = equirect_uv(direction);
    int x = clamp(int(uv.x * float(ENVIRONMENT_WIDTH)), 0, ENVIRONMENT_WIDTH - 1);
    int y = clamp(int(uv.y * float(ENVIRONMENT_HEIGHT)), 0, ENVIRONMENT_HEIGHT - 1);
    float column = within_chance(y * ENVIRONMENT_WIDTH, x, 0.0).y;
    float row = within_chance(ENVIRONMENT_WIDTH * ENVIRONMENT_HEIGHT, y, 0.0).y;
    return environment_density(vec2(column, row), float(y));
}

#if EMITTERS
layout(binding = 11) uniform samplerBuffer u_emitters; // running sum of power, triangle, chance per square metre

// Chance per steradian that `sample_emitters` gives the point of a triangle in direction l, `way` metres off.
float emitter_density(float chance, vec3 normal, vec3 l, float way) {
    return chance * way * way / max(abs(dot(normal, l)), 1e-4);
}

// A point on a glowing triangle, in proportion to its power; density: per steradian, seen from `origin`.
vec3 sample_emitters(vec3 origin, vec2 u, out int triangle, out float density) {
    int low = 0, high = textureSize(u_emitters) - 1;
    while (low < high) {
        int middle = (low + high) >> 1;
        if (texelFetch(u_emitters, middle).x > u.x) high = middle;
        else low = middle + 1;
    }
    float below = low > 0 ? texelFetch(u_emitters, low - 1).x : 0.0;
    vec4 emitter = texelFetch(u_emitters, low);
    u.x = clamp((u.x - below) / max(emitter.x - below, 1e-12), 0.0, 1.0);
    triangle = int(emitter.y);
    vec3 edge1 = texelFetch(u_triangles, 3 * triangle + 1).xyz, edge2 = texelFetch(u_triangles, 3 * triangle + 2).xyz;
    float root = sqrt(u.x); // uniform over a triangle: Turk 1990, "Generating Random Points in Triangles"
    vec3 to = texelFetch(u_triangles, 3 * triangle).xyz + edge1 * (1.0 - root) + edge2 * (u.y * root) - origin;
    float way = length(to);
    density = emitter_density(emitter.z, normalize(cross(edge1, edge2)), to / way, way);
    return to / way;
}
#endif

#if LIGHTS
// One punctual light, in proportion to what it would give here unshadowed. Returns irradiance over the choice's
// probability; reach: its distance in metres.
vec3 sample_lights(vec3 position, float u, out vec3 l, out float reach) {
    int count = int(u_cameraPosition.w);
    float total = 0.0;
    vec3 chosen = vec3(0.0);
    float chance = 1.0;
    reach = 0.0;
    l = vec3(0.0, 1.0, 0.0);
    for (int i = 0; i < count; ++i) { // one pass: each light replaces the choice so far with its share of the sum
        vec3 towards;
        vec3 irradiance = unshadowed(i, position, towards);
        float weight = max(irradiance.r, max(irradiance.g, irradiance.b));
        total += weight;
        float share = weight / max(total, 1e-20);
        if (u < share) {
            u /= share;
            chosen = irradiance;
            chance = weight;
            l = towards;
            reach = u_lights[i].position.w < 0.5 ? 1e30 : distance(u_lights[i].position.xyz, position);
        } else {
            u = (u - share) / (1.0 - share);
        }
    }
    return total > 0.0 ? chosen * total / chance : vec3(0.0);
}
#endif
