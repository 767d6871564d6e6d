/* Loaded into bulkd with LD_PRELOAD: no thread is to be had while the file that THREADS_REFUSED names exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument) {
    const char *refused = getenv("THREADS_REFUSED");
    if (refused && access(refused, F_OK) == 0)
        return EAGAIN;
    return ((create *)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, work, argument);
}
