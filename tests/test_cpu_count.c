/* The default number of threads, on made-up systems: folders with the files that the kernel would show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu_count.h"
#include "base/file.h"

enum { PROCESSORS = 8 };
static char root[64];
static const bool all[PROCESSORS] = {true, true, true, true, true, true, true, true};

static void run(const char *format, const char *argument)
{
    char command[300];
    snprintf(command, sizeof command, format, root, argument);
    assert_int_equal(system(command), 0);
}

static int make_system(void **state)
{
    (void)state;
    strcpy(root, "/tmp/attend-cpus.XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_system(void **state)
{
    (void)state;
    run("rm -rf '%s'%s", "");
    return 0;
}

/* A file of the system, with its folders. */
static void put(const char *path, const char *text)
{
    char full[400], *slash;
    at_error err;
    snprintf(full, sizeof full, "%s%s", root, path);
    slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(at_path_make_dirs(full, &err), ATT_OK);
    *slash = '/';
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", text);
    fclose(file);
}

/* Processor c and c + 4 are the two hardware threads of a core. */
static void put_cores(void)
{
    for (int cpu = 0; cpu < PROCESSORS; cpu++) {
        char path[100], siblings[16];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        snprintf(siblings, sizeof siblings, "%d,%d", cpu % 4, cpu % 4 + 4);
        put(path, siblings);
    }
}

static void nothing_known_counts_processors(void **state)
{
    (void)state;
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8);
    assert_int_equal(at_cpu_count_under(root, all, 3), 3);
    assert_int_equal(at_cpu_count_under(root, all, 0), 1);
}

static void hyperthreads_are_one_core(void **state)
{
    (void)state;
    put_cores();
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 4);
    /* The mask lacks the first threads of two cores: their second ones count. */
    const bool some[PROCESSORS] = {true, false, true, false, true, true, false, true};
    assert_int_equal(at_cpu_count_under(root, some, PROCESSORS), 4);
    const bool one_core[PROCESSORS] = {[1] = true, [5] = true};
    assert_int_equal(at_cpu_count_under(root, one_core, PROCESSORS), 1);
}

static void siblings_as_a_range(void **state)
{
    (void)state;
    for (int cpu = 0; cpu < 4; cpu++) {
        char path[100];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        put(path, cpu < 2 ? "0-1" : "2-3");
    }
    assert_int_equal(at_cpu_count_under(root, all, 4), 2);
}

static void cgroup_2_limits(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/system.slice/job");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8); /* no such folder */
    put("/sys/fs/cgroup/system.slice/job/cpu.max", "max 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8);
    put("/sys/fs/cgroup/system.slice/cpu.max", "600000 100000"); /* an ancestor's */
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 6);
    put("/sys/fs/cgroup/system.slice/job/cpu.max", "250000 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 3); /* 2.5, rounded */
    put("/sys/fs/cgroup/system.slice/job/cpu.max", "10000 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 1);
}

/* A container sees its own group at the hierarchy's root, whatever its path on the host. */
static void cgroup_2_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/docker/0123");
    put("/sys/fs/cgroup/cpu.max", "200000 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 2);
    put("/proc/self/cgroup", "0::/");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 2);
}

static void cgroup_1_limits(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "12:cpuset:/other\n4:cpu,cpuacct:/job\n3:memory:/job");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8);
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "300000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 3);
    put("/proc/self/cgroup", "4:cpuacct:/job"); /* another hierarchy than cpu's */
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8);
}

static void cores_and_limit_together(void **state)
{
    (void)state;
    put_cores();
    put("/proc/self/cgroup", "0::/job");
    put("/sys/fs/cgroup/job/cpu.max", "600000 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 4);
    put("/sys/fs/cgroup/job/cpu.max", "300000 100000");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 3);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "no colons\n0::");
    put("/sys/fs/cgroup/cpu.max", "many");
    put("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "none");
    assert_int_equal(at_cpu_count_under(root, all, PROCESSORS), 8);
}

int main(void)
{
#define ON_A_SYSTEM(test) cmocka_unit_test_setup_teardown(test, make_system, remove_system)
    const struct CMUnitTest tests[] = {
        ON_A_SYSTEM(nothing_known_counts_processors),
        ON_A_SYSTEM(hyperthreads_are_one_core),
        ON_A_SYSTEM(siblings_as_a_range),
        ON_A_SYSTEM(cgroup_2_limits),
        ON_A_SYSTEM(cgroup_2_in_a_container),
        ON_A_SYSTEM(cgroup_1_limits),
        ON_A_SYSTEM(cores_and_limit_together),
        ON_A_SYSTEM(nonsense_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
