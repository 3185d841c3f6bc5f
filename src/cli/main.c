/* attend: the list of commands, and what happens around each: words to settings, signals, messages, exit status.
 * Read first: command.h. */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/help_pages.h"

/* Every command: at_cmd_<name>, in the order in which help lists them. */
/* clang-format off */
#define ATT_COMMANDS(COMMAND) \
    COMMAND(train)             \
    COMMAND(translate)         \
    COMMAND(generate)          \
    COMMAND(score)             \
    COMMAND(look)              \
    COMMAND(plot)              \
    COMMAND(evaluate)          \
    COMMAND(inspect)           \
    COMMAND(import)            \
    COMMAND(export)            \
    COMMAND(average)           \
    COMMAND(data_check)        \
    COMMAND(data_make_phrases) \
    COMMAND(data_make_catalogs)\
    COMMAND(bench_train)       \
    COMMAND(bench_step)        \
    COMMAND(bench_op)          \
    COMMAND(bench_decode)      \
    COMMAND(bench_products)    \
    COMMAND(bench_peak)        \
    COMMAND(version)
/* clang-format on */

#define ATT_DECLARE(name) extern const at_command at_cmd_##name;
ATT_COMMANDS(ATT_DECLARE)
#define ATT_LIST(name) &at_cmd_##name,
static const at_command *const commands[] = {ATT_COMMANDS(ATT_LIST) NULL};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted; /* the signal that came, or 0 */

static void on_signal(int number)
{
    interrupted = number;
}

/* The second signal has its usual effect, for a command that doesn't come to an end. One that is ignored from the start
 * stays so: the shell wants it that way for a job in the background. */
static void catch_signal(int number)
{
    struct sigaction before, action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void catch_signals(void)
{
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
}

/* ---- one command ---- */

static at_status fail_usage(const at_command *command, const char *what, at_error *err)
{
    return at_fail(err, ATT_OPTION, "%.200s; see \"attend %s --help\"", what, command->name);
}

static at_status check_positionals(const at_command *command, const at_arguments *args, at_error *err)
{
    char text[160];
    int least = 0, most = 0;
    for (const at_positional *word = command->positionals; word != NULL && word->name != NULL; word++) {
        least += word->count != ATT_OPTIONAL;
        most = word->count == ATT_ONE_OR_MORE ? args->positional_count : most + 1;
    }
    if (args->positional_count < least) {
        snprintf(text, sizeof text, "%s is missing", command->positionals[args->positional_count].name);
        return fail_usage(command, text, err);
    }
    if (args->positional_count > most) {
        snprintf(text, sizeof text, "\"%.60s\" is one argument too many", args->positional[most]);
        return fail_usage(command, text, err);
    }
    return ATT_OK;
}

static at_status run_parsed(at_cli *cli, void *state, at_error *err)
{
    const at_command *command = cli->command;
    if (cli->arguments.help) return cli->show(&cli->output, command, &cli->arguments, err);
    ATT_TRY(check_positionals(command, &cli->arguments, err));
    if (command->prepare != NULL) ATT_TRY(command->prepare(cli, state, err));
    ATT_TRY(at_arguments_apply(&cli->arguments, err));
    ATT_TRY(at_arguments_require(&cli->arguments, command->required, err));
    if (command->interruptible) catch_signals();
    return command->run(cli, state, err);
}

static at_status run_with_state(at_cli *cli, void *state, int count, char **words, at_error *err)
{
    const at_command *command = cli->command;
    if (command->options != NULL) {
        ATT_TRY(at_options_defaults(command->options, state, err));
        at_arguments_group(&cli->arguments, "Options", command->options, state, false);
    }
    if (command->bind != NULL) ATT_TRY(command->bind(cli, state, err));
    ATT_TRY(at_arguments_parse(&cli->arguments, count, words, err));
    return run_parsed(cli, state, err);
}

static at_status run_command(at_cli *cli, const at_command *command, int count, char **words, at_error *err)
{
    void *state = calloc(1, command->state_size + 1);
    if (state == NULL) return at_fail_memory(err, command->state_size);
    cli->command = command;
    at_arguments_init(&cli->arguments, command->name);
    const at_status status = run_with_state(cli, state, count, words, err);
    if (command->close != NULL) command->close(state);
    if (command->options != NULL) at_options_free(command->options, state);
    at_arguments_free(&cli->arguments);
    free(state);
    return status;
}

/* ---- finding the command ---- */

/* How many of the words spell the command's name; 0 when they don't. */
static int match(const at_command *command, int count, char **words)
{
    const char *name = command->name;
    for (int used = 0; used < count; used++) {
        const size_t len = strcspn(name, " ");
        if (strlen(words[used]) != len || strncmp(name, words[used], len) != 0) return 0;
        if (name[len] == '\0') return used + 1;
        name += len + 1;
    }
    return 0;
}

/* Of several the one with the longest name. */
static const at_command *find_command(int count, char **words, int *used)
{
    const at_command *found = NULL;
    *used = 0;
    for (int i = 0; commands[i] != NULL; i++) {
        const int matched = match(commands[i], count, words);
        if (matched <= *used) continue;
        *used = matched;
        found = commands[i];
    }
    return found;
}

/* The first `count` words with spaces between; cut when too long. */
static void join(char *text, size_t room, int count, char **words)
{
    size_t len = 0;
    text[0] = '\0';
    for (int i = 0; i < count && len < room; i++) {
        const int written = snprintf(text + len, room - len, "%s%s", i > 0 ? " " : "", words[i]);
        len += written > 0 ? (size_t)written : 0;
    }
}

/* The length of the first `count` words of a name; 0 when it has fewer. */
static size_t length_of_words(const char *name, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && name[len++] != ' ') return 0;
        len += strcspn(name + len, " ");
    }
    return len;
}

enum { COMMAND_ROOM = 64, COMMANDS = sizeof commands / sizeof *commands };

/* The command whose first `count` words are nearest to the text; NULL when none is near. */
static const at_command *nearest_command(const char *text, int count)
{
    char names[COMMANDS][COMMAND_ROOM];
    at_option rows[COMMANDS] = {{0}};
    const at_command *candidates[COMMANDS];
    int used = 0;
    for (int i = 0; commands[i] != NULL; i++) {
        const size_t len = length_of_words(commands[i]->name, count);
        if (len == 0) continue;
        snprintf(names[used], COMMAND_ROOM, "%.*s", (int)len, commands[i]->name);
        rows[used].name = names[used];
        candidates[used++] = commands[i];
    }
    const at_option *nearest = at_option_nearest(rows, text);
    return nearest != NULL ? candidates[nearest - rows] : NULL;
}

/* What was meant is looked for with three words, then two, then one: the words behind may be arguments. */
static at_status fail_command(int count, char **words, at_error *err)
{
    char text[COMMAND_ROOM];
    if (words[0][0] == '-') {
        return at_fail(err, ATT_OPTION, "a command comes before %.60s; \"attend --help\" lists the commands", words[0]);
    }
    for (int used = count < 3 ? count : 3; used > 0; used--) {
        join(text, sizeof text, used, words);
        const at_command *nearest = nearest_command(text, used);
        if (nearest == NULL) continue;
        /* The words found may be right, and the one behind them the wrong one. */
        if (at_name_begins(nearest->name, text)) join(text, sizeof text, used + 1, words);
        return at_fail(err, ATT_OPTION, "unknown command \"%s\"; did you mean \"attend %s\"?", text, nearest->name);
    }
    return at_fail(err, ATT_OPTION, "unknown command \"%.60s\"; \"attend --help\" lists the commands", words[0]);
}

/* A command that begins with the words, when they aren't all of its name; else NULL. */
static const char *find_longer(int count, char **words)
{
    char prefix[200];
    join(prefix, sizeof prefix, count, words);
    for (int i = 0; commands[i] != NULL; i++) {
        if (at_name_begins(commands[i]->name, prefix)) return commands[i]->name;
    }
    return NULL;
}

/* ---- help ---- */

/* A generated document: its head, every command of the list (or the one named), its end. */
static at_status print_document(at_cli *cli, const at_document *document, at_error *err)
{
    char *help[] = {(char[]){"--help"}};
    cli->show = document->show;
    document->begin(&cli->output, commands);
    for (int i = 0; commands[i] != NULL; i++)
        if (document->command == NULL || strcmp(document->command, commands[i]->name) == 0)
            ATT_TRY(run_command(cli, commands[i], 1, help, err));
    document->end(&cli->output, commands);
    return ATT_OK;
}

/* words: the command that is asked about; none: all. */
static at_status print_help(at_cli *cli, int count, char **words, at_error *err)
{
    char *help[] = {(char[]){"--help"}};
    char prefix[200];
    int used;
    const at_document *document = count == 1 ? at_document_find(words[0]) : NULL;
    if (document != NULL) return print_document(cli, document, err);
    const at_command *command = find_command(count, words, &used);
    if (command != NULL) return run_command(cli, command, 1, help, err);
    if (count > 0 && find_longer(count, words) == NULL) return fail_command(count, words, err);
    join(prefix, sizeof prefix, count, words);
    at_help_overview(&cli->output, commands, prefix);
    if (count == 0) at_help_closing(&cli->output);
    return ATT_OK;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* words: at least one */
static at_status dispatch(at_cli *cli, int count, char **words, at_error *err)
{
    int used;
    if (is_help(words[0]) || strcmp(words[0], "help") == 0) return print_help(cli, count - 1, words + 1, err);
    if (strcmp(words[0], "--version") == 0) return run_command(cli, &at_cmd_version, count - 1, words + 1, err);
    const at_command *command = find_command(count, words, &used);
    if (command != NULL) return run_command(cli, command, count - used, words + used, err);
    if (is_help(words[count - 1])) return print_help(cli, count - 1, words, err);
    const char *longer = find_longer(count, words);
    if (longer == NULL) return fail_command(count, words, err);
    return at_fail(err, ATT_OPTION, "the command is not complete; write \"attend %s\", or see \"attend %s --help\"",
                   longer, words[0]);
}

/* The list of commands instead of a result; who asked for nothing used the command wrongly. */
static int show_overview(at_cli *cli)
{
    cli->output.out = stderr;
    at_help_overview(&cli->output, commands, "");
    at_print(&cli->output, "\n\"attend --help\" tells more.\n");
    return ATT_EXIT_USAGE;
}

/* A standard stream that is closed would lend its number to the next file that is opened; a result printed there would
 * land in that file. The null device, opened the wrong way round, keeps the number and fails every use. */
static void keep_standard_numbers(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* Large blocks go back to the system when they are freed: what is resident is what is in use, as --dry-run predicts it. glibc would keep
 * them from the second one on. */
static void keep_memory_exact(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

int main(int argc, char **argv)
{
    keep_standard_numbers();
    keep_memory_exact();
    at_cli cli = {.show = at_help_command, .interrupted = &interrupted};
    at_error err = {0}, closing = {0};
    signal(SIGPIPE, SIG_IGN); /* a reader that ended shows as a failed write */
    signal(SIGXFSZ, SIG_IGN); /* and so does a file that ulimit -f lets grow no further */
    at_output_init(&cli.output, stdout, stderr);
    if (argc < 2) return show_overview(&cli);
    at_status status = dispatch(&cli, argc - 1, argv + 1, &err);
    if (status != ATT_OK) at_complain(&cli.output, &err);
    at_live_end(&cli.output);
    const at_status closed = at_output_close(&cli.output, &closing);
    if (status == ATT_OK && closed != ATT_OK) {
        at_complain(&cli.output, &closing);
        status = closed;
    }
    return at_exit_status(status, interrupted);
}
