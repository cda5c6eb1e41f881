#pragma once

struct view {
    int* calls;
    int* last_zeroed;
    const int* constant;
    int (*bump)(void);
    int third_prime;
    int feature_bits;
    int weak_is_null;
};
