// Well-spread random numbers for one path: a (0, 2)-sequence per pair of dimensions, Owen-scrambled by hashing
// (Burley 2020, "Practical Hash-based Owen Scrambling"), with seeds of its own for each pixel.

uint random_seed;      // of this pixel
uint random_index;     // of this sample of the pixel, below RANDOM_SAMPLES
uint random_dimension; // pairs drawn so far

const int RANDOM_BITS = 14; // points that are spread together: 16384

uint random_hash(uint x) {
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x = (x ^ (x >> 15)) * 0xd35a2d97u;
    return x ^ (x >> 15);
}

// Laine and Karras 2011, "Stratified Sampling for Stochastic Transparency", with Burley's constants.
uint laine_karras(uint x, uint seed) {
    x += seed;
    x ^= x * 0x6c50b47cu;
    x ^= x * 0xb82f1e52u;
    x ^= x * 0xc7afe638u;
    x ^= x * 0x8d22f6e6u;
    return x;
}

uint owen_scramble(uint x, uint seed) {
    return bitfieldReverse(laine_karras(bitfieldReverse(x), seed));
}

// Point `index` of the pair of dimensions that `seed` stands for, in [0, 1)².
vec2 random_point(uint index, uint seed) {
    index = owen_scramble(index << (32 - RANDOM_BITS), seed) >> (32 - RANDOM_BITS);
    uint x = bitfieldReverse(index), y = 0u; // Sobol's first two dimensions
    uint v = 0x80000000u;
    for (int bit = 0; bit < RANDOM_BITS; ++bit) {
        y ^= ((index >> bit) & 1u) * v;
        v ^= v >> 1;
    }
    x = owen_scramble(x, random_hash(seed ^ 0x68bc21ebu));
    y = owen_scramble(y, random_hash(seed ^ 0x02e5be93u));
    return vec2(x >> 8, y >> 8) * 5.9604644775390625e-8; // 2^-24
}

// The seed of the next pair of dimensions of this path.
uint random_next() { return random_hash(random_seed ^ random_hash(random_dimension++ + 0x9e3779b9u)); }

vec2 random_pair() { return random_point(random_index, random_next()); }

// One number alone, for choices; cheaper than a pair's and as well spread in itself.
float random_one() {
    uint seed = random_next();
    uint index = owen_scramble(random_index << (32 - RANDOM_BITS), seed) >> (32 - RANDOM_BITS);
    return float(owen_scramble(bitfieldReverse(index), random_hash(seed ^ 0x68bc21ebu)) >> 8) * 5.9604644775390625e-8;
}
