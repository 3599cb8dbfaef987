/* The pass over a row of logits that a top-k begins with. */
#ifndef FOLD_H
#define FOLD_H

#include <stddef.h>

#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address)
#endif

/* The loader chooses the version with the widest vectors that the processor has. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

enum {
    LANES = 16,
    DEPTH = 16,
    GROUP = LANES * DEPTH,
    LINE = 16,               /* logits in a cache line */
    PREFETCH_DISTANCE = 2048 /* in logits */
};

/* Write the maximum of each lane of each group of n logits. Returns the sum of all, which is NaN if a logit is. */
FOR_EACH_PROCESSOR
static float fold(const float *row, ptrdiff_t n, float *maxima) {
    float totals[LANES] = {0}, total = 0;
    for (ptrdiff_t group = 0; group < n / GROUP; group++) {
        const float *start = row + group * GROUP;
        for (int i = 0; i < GROUP / LINE; i++)
            PREFETCH(start + PREFETCH_DISTANCE + i * LINE);
        for (int lane = 0; lane < LANES; lane++) {
            float top = start[lane], lane_total = top;
            for (int i = 1; i < DEPTH; i++) {
                float logit = start[i * LANES + lane];
                top = top > logit ? top : logit;
                lane_total += logit;
            }
            maxima[group * LANES + lane] = top;
            totals[lane] += lane_total;
        }
    }
    for (int lane = 0; lane < LANES; lane++)
        total += totals[lane];
    for (ptrdiff_t i = n / GROUP * GROUP; i < n; i++)
        total += row[i];
    return total;
}

#endif
