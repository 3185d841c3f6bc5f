/* Facts about this build: version, instruction set, libraries. See attend/tools.h. */
#include <attend/tools.h>
#include <jansson.h>
#include <stdio.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

#include "backend/backend.h"

const char *at_version(void)
{
    return ATTEND_VERSION;
}

at_status at_instruction_set(const char **name, at_error *err)
{
    return at_cpu_isa_default(name, err);
}

int at_instruction_sets(const char **names, int max)
{
    return at_cpu_isa_list(names, max);
}

int at_libraries(at_library *list, int max)
{
    char xxhash[24];
    const unsigned number = XXH_versionNumber(); /* major * 10000 + minor * 100 + patch */
    snprintf(xxhash, sizeof xxhash, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
    const struct {
        const char *name, *version;
    } all[] = {{"Jansson", jansson_version_str()},
               {"libyaml", yaml_get_version_string()},
               {"SentencePiece", ATTEND_SENTENCEPIECE_VERSION}, /* from the build: it has no function for it */
               {"utf8proc", utf8proc_version()},
               {"xxHash", xxhash},
               {"zlib", zlibVersion()}};
    int count = 0;
    for (; count < max && count < (int)(sizeof all / sizeof *all); count++) {
        list[count].name = all[count].name;
        snprintf(list[count].version, sizeof list[count].version, "%s", all[count].version);
    }
    return count;
}

const char *at_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}
