/* Resident memory of the process. See resident.h. */
#include "base/resident.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

int64_t at_resident_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

/* Linux: the second number of this file, in pages. */
int64_t at_resident_now(void)
{
    long long all, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    const int got = file ? fscanf(file, "%lld %lld", &all, &resident) : 0;
    if (file) fclose(file);
    return got == 2 ? resident * sysconf(_SC_PAGESIZE) : at_resident_peak();
}
