/* A language model's continuation of a text, token by token over the search of search.h: greedy, or drawn.
 *
 * The prompt's first token is fed as the start, the others are a forced prefix, so that the model reads the prompt as it
 * is; an empty prompt begins with the model's own start token. When the context is full (learned positions end there),
 * the search begins anew with the last half of it as the prompt: every token is chosen with between half a context and
 * a whole one behind it, and the cache is filled once in half a context's tokens. nanoGPT reads the last whole context
 * anew for each token instead, which costs a forward pass over all of it a token.
 *
 * The result is a function of (model, prompt, options): threads don't matter. */
#ifndef ATT_INFER_GENERATE_H
#define ATT_INFER_GENERATE_H

#include <attend/attend.h>

#include "infer/search.h"

/* A new token. A status other than ATT_OK ends the work. */
typedef at_status at_new_token_fn(void *arg, int32_t id, at_error *err);

typedef struct at_generate_options {
    int64_t max_tokens; /* at least 1 */
    bool sample;        /* false: greedy */
    at_sampling sampling;
    uint64_t key;               /* of random numbers */
    const volatile int *cancel; /* may be NULL */
    at_new_token_fn *each;      /* may be NULL */
    void *arg;
} at_generate_options;

typedef struct at_continuation {
    at_ids ids;      /* without the prompt and the end token */
    double log_prob; /* sum over them, the end token's included, nats */
    bool ended;      /* the model chose its end token */
} at_continuation;

/* prompt: ids of the vocabulary. On failure *out is empty. ATT_OPTION, ATT_INPUT, ATT_CANCELLED, ATT_MEMORY as
 * at_search_all. */
at_status at_generate_ids(const at_bundle *bundle, const int32_t *prompt, int64_t count,
                          const at_generate_options *options, at_continuation *out, at_error *err);
void at_continuation_free(at_continuation *continuation);

/* The same for text. options->each is not looked at: `each` (may be NULL) receives the continuation in pieces of whole
 * characters. out->text is malloc'ed. */
at_status at_generate_text(const at_bundle *bundle, at_line prompt, const at_generate_options *options,
                           at_generated_fn *each, void *arg, at_generation *out, at_error *err);

/* ATT_OPTION unless the model is a language model with a tokenizer. path: for the message. */
at_status at_check_language_model(const at_bundle *bundle, const char *path, at_error *err);

#endif
