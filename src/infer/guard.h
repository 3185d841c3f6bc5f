/* Guards: a search whose answer looks broken is repeated once under another rule, and the answer says so.
 *
 *   the best output of a sentence        is searched again with            and taken when it           flag
 *   repeats an n-gram oftener than       no trigram twice                  always: it can't loop       unlooped
 *     the source repeats one
 *   is cut, and doesn't loop             twice max_ratio and max_extra     ends and doesn't loop       extended
 *
 * What a search says of its outputs (looped, truncated) stays true of the ones that are handed out, so that nothing
 * looped or cut goes unflagged, with guards or without. "ha ha ha ha ..." as a source may have as many repetitions in
 * its translation; they are flagged, not removed. max_length is never exceeded. A forced prefix may hold a loop itself.
 */
#ifndef ATT_INFER_GUARD_H
#define ATT_INFER_GUARD_H

#include "infer/search.h"

/* at_search_all with guards; the same arguments, results and errors. */
at_status at_search_guarded(const at_bundle *const *models, int64_t count, const at_search_input *input,
                            const at_search_options *options, at_hypothesis *best, at_error *err);

#endif
