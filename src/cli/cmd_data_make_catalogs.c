/* attend data make catalogs: parallel text from the translated messages of installed programs. */
#include <attend/tools.h>
#include <inttypes.h>

#include "cli/command.h"
#include "cli/output_path.h"

typedef struct catalogs_state {
    char *lang, *dir, *output;
    bool formats;
} catalogs_state;

#define FIELD(name) offsetof(catalogs_state, name)

static const char *const required[] = {"lang", NULL};

static const at_option options[] = {
    {.name = "lang",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(lang),
     .help = "language of the target, as the system's folders name it: de, fr, pt_BR, zh_CN",
     .letter = 'l'},
    {.name = "dir",
     .type = ATT_OPT_PATHS,
     .offset = FIELD(dir),
     .help = "folder with LANG/LC_MESSAGES/NAME.mo, instead of the system's"},
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = FIELD(output),
     .def = "catalogs",
     .help = "where to write: PATH.en and PATH.LANG",
     .letter = 'o'},
    {.name = "formats",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(formats),
     .def = "false",
     .help = "keep messages with places for values, such as %s or {name}"},
    {0},
};

static at_status make(at_cli *cli, const catalogs_state *asked, const char *source, const char *target, at_error *err)
{
    const at_make_catalogs_args args = {.language = asked->lang,
                                        .dirs = asked->dir,
                                        .source_path = source,
                                        .target_path = target,
                                        .formats = asked->formats,
                                        .cancel = cli->interrupted};
    at_catalogs_result r;
    ATT_TRY(at_path_make_folder(source, err));
    ATT_TRY(at_make_catalogs(&args, &r, err));
    at_print(&cli->output, "%s, %s: %" PRId64 " pairs from %" PRId64 " messages in %" PRId64 " catalogs\n", source,
             target, r.pairs, r.messages, r.catalogs);
    if (r.damaged > 0)
        at_note(&cli->output, "%" PRId64 " files passed over: damaged, or of an unknown encoding", r.damaged);
    if (r.unusable > 0) at_note(&cli->output, "%" PRId64 " messages passed over: no valid text", r.unusable);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const catalogs_state *asked = state;
    at_buf source = {0}, target = {0};
    at_status status = at_buf_printf(&source, err, "%s.en", asked->output);
    if (status == ATT_OK) status = at_buf_printf(&target, err, "%s.%s", asked->output, asked->lang);
    if (status == ATT_OK) status = make(cli, asked, source.data, target.data, err);
    at_buf_free(&source);
    at_buf_free(&target);
    return status;
}

const at_command at_cmd_data_make_catalogs = {
    .name = "data make catalogs",
    .summary = "gather translated messages of installed programs",
    .description =
        "Writes two parallel files, English and another language, from the message catalogs that programs install on "
        "every Linux machine (gettext's .mo files in /usr/share/locale): short real text by human translators, for "
        "trying things out without a download.\n\n"
        "Marks of menu keys (_File) are taken out, line breaks become spaces, and each pair is written once; messages "
        "without letters and those that are the same in both languages are left out. The same catalogs give the same "
        "files. Programs differ in their licences: look before you pass the text on.",
    .examples = "attend data make catalogs --lang de -o data/messages\n"
                "attend data make catalogs --lang zh_CN --formats\n"
                "attend data make catalogs --lang fr --dir /opt/app/share/locale\n",
    .options = options,
    .required = required,
    .state_size = sizeof(catalogs_state),
    .interruptible = true,
    .run = run,
};
