/* Element types of tensors, in memory and in files. */
#ifndef ATT_TAPE_DTYPE_H
#define ATT_TAPE_DTYPE_H

#include <stddef.h>

typedef enum at_dtype {
    ATT_F32,
    ATT_F64,
    ATT_F16,
    ATT_BF16,
    ATT_I64,
    ATT_I32,
    ATT_I16,
    ATT_I8,
    ATT_U8,
    ATT_BOOL
} at_dtype;

static inline size_t at_dtype_size(at_dtype dtype)
{
    static const unsigned char size[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
    return size[dtype];
}

#endif
