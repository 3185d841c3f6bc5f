/* Activation functions, by the names that configurations use. */
#ifndef ATT_BASE_ACT_H
#define ATT_BASE_ACT_H

typedef enum at_act {
    ATT_ACT_NONE,
    ATT_ACT_RELU,      /* max(0, x) */
    ATT_ACT_GELU,      /* x Phi(x), exact by erf (Hendrycks and Gimpel 2016) */
    ATT_ACT_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), as GPT-2 */
    ATT_ACT_SWISH      /* x sigmoid(x), also called SiLU (Ramachandran et al. 2017) */
} at_act;

#endif
