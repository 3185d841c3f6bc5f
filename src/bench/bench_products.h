/* A training step against its matrix products alone: how much of its time everything else takes.
 *
 * The products are those of the linear layers and of the loss, forward and backward, in the shapes of one step, found by
 * running the step on the null backend. Attention's small products count as "everything else". Each is computed as often
 * as the step computes it, on one set of operands a shape, which favours the products: a step finds its operands less
 * often in the cache. */
#ifndef ATT_BENCH_BENCH_PRODUCTS_H
#define ATT_BENCH_BENCH_PRODUCTS_H

#include "bench/bench_work.h"

typedef enum at_product_kind {
    ATT_PRODUCT_FORWARD, /* y (M,N) = x W */
    ATT_PRODUCT_INPUT,   /* dx (M,K) = dy W^T */
    ATT_PRODUCT_WEIGHT   /* dW (K,N) = x^T dy */
} at_product_kind;

typedef struct at_bench_product {
    at_product_kind kind;
    int64_t m, k, n; /* x (M,K), W (K,N) */
    int64_t count;   /* in a step */
} at_bench_product;

enum { ATT_BENCH_MOST_PRODUCTS = 128 };

/* With one number of threads; medians. */
typedef struct at_bench_products_result {
    int threads;
    double step_ms;
    double own_ms;  /* the products by attend's kernels, weights packed before */
    double peer_ms; /* by at_peer_sgemm; 0: this build has none */
    double flop;    /* of the products */
} at_bench_products_result;

typedef struct at_bench_products {
    at_bench_product product[ATT_BENCH_MOST_PRODUCTS];
    int count;
    at_bench_products_result result[2]; /* with one thread, and with several */
    int results;
} at_bench_products;

/* Lists the products of a step of the work (after at_bench_shape). */
at_status at_bench_products_list(at_bench_products *products, const at_bench_options *options, at_error *err);
/* Lists them and times: one step, our products, the library's, `steps` times in turn; for one thread, then for options' threads where
 * that isn't one. */
at_status at_bench_products_run(at_bench_products *products, at_bench_options *options, at_error *err);

#endif
