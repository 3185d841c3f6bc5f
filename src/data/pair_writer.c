/* Two parallel files, written whole or not at all. See pair_writer.h. */
#include "data/pair_writer.h"

at_status at_pair_writer_open(at_pair_writer *writer, const char *source, const char *target, at_error *err)
{
    *writer = (at_pair_writer){0};
    ATT_TRY(at_writer_open(&writer->file[0], source, err));
    const at_status status = at_writer_open(&writer->file[1], target, err);
    if (status != ATT_OK) at_pair_writer_abort(writer);
    return status;
}

at_status at_pair_writer_add(at_pair_writer *writer, const char *const text[2], const size_t len[2], at_error *err)
{
    for (int i = 0; i < 2; i++) {
        ATT_TRY(at_writer_write(writer->file[i], text[i], len[i], err));
        ATT_TRY(at_writer_write(writer->file[i], "\n", 1, err));
    }
    return ATT_OK;
}

at_status at_pair_writer_commit(at_pair_writer *writer, at_error *err)
{
    at_status status = at_writer_flush(writer->file[0], err); /* a full disk shows before the first is renamed */
    if (status == ATT_OK) status = at_writer_flush(writer->file[1], err);
    for (int i = 0; i < 2 && status == ATT_OK; i++) {
        at_writer *file = writer->file[i];
        writer->file[i] = NULL; /* commit frees it, also when it fails */
        status = at_writer_commit(file, err);
    }
    at_pair_writer_abort(writer);
    return status;
}

void at_pair_writer_abort(at_pair_writer *writer)
{
    at_writer_abort(writer->file[0]);
    at_writer_abort(writer->file[1]);
    *writer = (at_pair_writer){0};
}
