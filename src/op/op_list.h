/* Every op with a gradient. Each line names its forward and backward, at_<name>_fwd and at_<name>_bwd in <name>.c; one
 * that is missing fails to link. */
#define ATT_OPS(X) \
    X(embed)       \
    X(linear)      \
    X(attention)   \
    X(layer_norm)  \
    X(dropout)     \
    X(swiglu)      \
    X(linear_cross_entropy)
