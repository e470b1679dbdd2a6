/* Errors, time, chance, latencies. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    SUB_BUCKETS = 64, /* per power of two: latencies are within 1.6 % */
    BUCKETS = 60 * SUB_BUCKETS,
};

unsigned errors;
static uint64_t histogram[BUCKETS];
static uint64_t random_state = 0x9e3779b97f4a7c15u;

void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

void *checked(void *memory)
{
    if (memory == NULL)
        die("memory");
    return memory;
}

bool fail(unsigned index, uint64_t number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "loadgen: connection %u, message %" PRIu64 ": ", index, number);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    errors++;
    return false;
}

uint64_t read_clock(int clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        die("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Thousands of connections need as many files. */
void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("setrlimit");
}

/* ---- latencies: a histogram with buckets of equal relative width ---- */

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS)
        return value;
    unsigned shift = 63u - 6u - (unsigned)__builtin_clzll(value);
    return (shift + 1) * SUB_BUCKETS + ((value >> shift) & (SUB_BUCKETS - 1));
}

static double bucket_value(size_t bucket)
{
    if (bucket < SUB_BUCKETS)
        return (double)bucket;
    unsigned shift = (unsigned)(bucket / SUB_BUCKETS) - 1;
    double low = (double)(SUB_BUCKETS + bucket % SUB_BUCKETS);
    return (low + 0.5) * (double)(1ull << shift);
}

void note_latency(uint64_t nanoseconds) { histogram[bucket_of(nanoseconds)]++; }

double percentile_us(double share)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += histogram[i];
    if (total == 0)
        return 0.0;
    uint64_t wanted = (uint64_t)(share * (double)(total - 1)) + 1;
    size_t i = 0;
    while ((seen += histogram[i]) < wanted)
        i++;
    return bucket_value(i) / 1000.0;
}
