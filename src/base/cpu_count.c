/* How many threads are worth starting: the smallest of the physical cores in the affinity mask and the processor
 * time that the control group grants (containers, batch systems). Two threads on one core share its vector units, so
 * a second one adds little to products and doubles the scratch memory. */
#define _GNU_SOURCE /* cpu_set_t */
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu_count.h"
#include "base/pool.h"

enum { PATH_ROOM = 2 * PATH_MAX };

/* The first line of a small system file without its line end; false when there is none. */
static bool read_line(const char *path, char *line, int room)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const bool got = fgets(line, room, file) != NULL;
    fclose(file);
    if (got) line[strcspn(line, "\n")] = '\0';
    return got;
}

/* Whether cpu has the lowest number of the usable ones among the hardware threads of its core, given as "0,4" or "0-1".
 * One hardware thread a core passes, also where the core's first isn't usable. */
static bool leads_core(const char *root, int cpu, const bool *usable)
{
    char path[PATH_ROOM], line[256];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", root, cpu);
    if (!read_line(path, line, sizeof line)) return true;
    for (char *at = line; *at >= '0' && *at <= '9';) {
        const long first = strtol(at, &at, 10);
        const long last = *at == '-' ? strtol(at + 1, &at, 10) : first;
        for (long sibling = first; sibling <= last && sibling < cpu; sibling++) {
            if (usable[sibling]) return false;
        }
        if (*at != ',') break;
        at++;
    }
    return true;
}

static int count_cores(const char *root, const bool *usable, int processors)
{
    int cores = 0;
    for (int cpu = 0; cpu < processors; cpu++) cores += usable[cpu] && leads_core(root, cpu, usable);
    return cores;
}

/* Processors that one group's quota grants, rounded to the nearest, or INT_MAX where there's no quota. Version 2 keeps
 * "<quota> <period>" in cpu.max, version 1 a file each; no quota is "max" and -1. */
static int group_quota(const char *folder)
{
    char path[PATH_ROOM + 64], line[64];
    long quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_line(path, line, sizeof line)) {
        if (sscanf(line, "%ld %ld", &quota, &period) != 2) return INT_MAX;
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        if (read_line(path, line, sizeof line)) quota = strtol(line, NULL, 10);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (read_line(path, line, sizeof line)) period = strtol(line, NULL, 10);
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX) return INT_MAX;
    const int granted = (int)((quota + period / 2) / period);
    return granted > 0 ? granted : 1;
}

/* The smallest quota of a group and its ancestors in a hierarchy. Inside a container the group's path may name a folder
 * of the host that isn't there; the walk up ends at the container's own. */
static int lineage_quota(const char *root, const char *hierarchy, const char *group)
{
    char folder[PATH_ROOM];
    int least = INT_MAX;
    const size_t root_len = strlen(root) + strlen(hierarchy);
    if (snprintf(folder, sizeof folder, "%s%s%s", root, hierarchy, group) >= (int)sizeof folder) return INT_MAX;
    for (;;) {
        const int quota = group_quota(folder);
        if (quota < least) least = quota;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < root_len) return least;
        *slash = '\0';
    }
}

/* The quota in the hierarchy of one line of /proc/self/cgroup, "<number>:<controllers>:<path>": version 2 names no
 * controllers, of version 1's hierarchies only cpu's counts. */
static int line_quota(const char *root, char *line)
{
    char listed[PATH_MAX + 2];
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) return INT_MAX;
    *group++ = '\0';
    if (controllers[1] == '\0') return lineage_quota(root, "/sys/fs/cgroup", group);
    snprintf(listed, sizeof listed, ",%s,", controllers + 1);
    return strstr(listed, ",cpu,") != NULL ? lineage_quota(root, "/sys/fs/cgroup/cpu", group) : INT_MAX;
}

/* The smallest quota that binds this process, or INT_MAX. */
static int process_quota(const char *root)
{
    char line[PATH_MAX];
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "re");
    if (file == NULL) return INT_MAX;
    int least = INT_MAX;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const int quota = line_quota(root, line);
        if (quota < least) least = quota;
    }
    fclose(file);
    return least;
}

int at_cpu_count_under(const char *root, const bool *usable, int processors)
{
    const int cores = count_cores(root, usable, processors), quota = process_quota(root);
    const int count = cores < quota ? cores : quota;
    return count > 0 ? count : 1;
}

int at_cpu_count(void)
{
    cpu_set_t mask;
    bool usable[CPU_SETSIZE];
    /* Fails where the kernel knows more processors than the mask has bits: then the first of them count. */
    const bool known = sched_getaffinity(0, sizeof mask, &mask) == 0;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) usable[cpu] = known ? CPU_ISSET((size_t)cpu, &mask) : cpu < online;
    return at_cpu_count_under("", usable, CPU_SETSIZE);
}
