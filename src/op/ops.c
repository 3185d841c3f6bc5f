/* One at_op an op, made from the list. */
#include "op/op.h"

#define ATT_DEFINE_OP(name) const at_op at_op_##name = {#name, at_##name##_fwd, at_##name##_bwd};
ATT_OPS(ATT_DEFINE_OP)
