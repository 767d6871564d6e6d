/* A clock to order: loaded into bulkd with LD_PRELOAD, it is wrong, or fails.
 *
 * CLOCK_SECONDS is what the wall clock says, in seconds since 1970, for as long as the process lives.
 * CLOCK_OFFSET names a file: while it exists, the wall clock is off by so many seconds.
 * CLOCK_ORDERS names a file. While it exists it says which read of a clock fails, in one line such as
 * `1 3 event loop 1`: the clock (0 is the wall clock, 1 the one that only runs on), how many reads go well first, and how
 * the name of the thread begins. The read that fails removes the file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char current[128];
static long seen;

static int fails(clockid_t clock) {
    const char *orders = getenv("CLOCK_ORDERS");
    int file = orders ? syscall(SYS_openat, AT_FDCWD, orders, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    char text[128] = "", thread[64] = "", name[32] = "";
    int wanted = -1, failure = 0;
    long first = 0;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (sscanf(text, "%d %ld %63[^\n]", &wanted, &first, thread) == 3 && wanted == clock
        && strncmp(name, thread, strlen(thread)) == 0) {
        pthread_mutex_lock(&mutex);
        if (strcmp(current, text) != 0) {
            strcpy(current, text);
            seen = 0;
        }
        failure = seen++ == first && unlink(orders) == 0;
        pthread_mutex_unlock(&mutex);
    }
    return failure;
}

static long offset(void) {
    const char *name = getenv("CLOCK_OFFSET");
    int file = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    char text[32] = "";
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if ((clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && fails(clock)) {
        errno = EINVAL;
        return -1;
    }
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += offset();
    const char *seconds = getenv("CLOCK_SECONDS");
    if (result == 0 && clock == CLOCK_REALTIME && seconds)
        now->tv_sec = atoll(seconds);
    return result;
}
