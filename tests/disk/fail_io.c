/* Disk trouble to order: loaded into bulkd with LD_PRELOAD, it lets reads, writes and syncs of chosen files fail.
 *
 * FAIL_IO_ORDERS names a file. While it exists it says what fails, in one line such as `write 5 300 /bulkd.db-wal`: a
 * kind (`read`, `write`, `sync`, or `short`: a write of which half arrives before it fails), an errno, how many such
 * calls go well first, and how the path of the file ends. Each failure adds a line to the file of FAIL_IO_REPORT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char current[512];
static long seen;

static int matches(int fd, const char *ending, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    size_t tail = strlen(ending);
    if (length < (ssize_t)tail)
        return 0;
    path[length] = 0;
    return strcmp(path + length - tail, ending) == 0;
}

/* Whether a call of this kind is to fail; errno then says how. */
static int fails(const char *kind, int fd) {
    int before = errno, failure = 0;
    const char *orders = getenv("FAIL_IO_ORDERS"), *report = getenv("FAIL_IO_REPORT");
    char text[512] = "", wanted[16] = "", ending[256] = "", path[512], line[640];
    int code = 0, file = orders && report ? syscall(SYS_openat, AT_FDCWD, orders, O_RDONLY | O_CLOEXEC) : -1;
    long first = 0;
    if (file >= 0) {
        syscall(SYS_read, file, text, sizeof text - 1);
        syscall(SYS_close, file);
    }
    if (sscanf(text, "%15s %d %ld %255s", wanted, &code, &first, ending) == 4 && strcmp(wanted, kind) == 0
        && matches(fd, ending, path, sizeof path)) {
        pthread_mutex_lock(&mutex);
        if (strcmp(current, text) != 0) {
            strcpy(current, text);
            seen = 0;
        }
        if (seen++ >= first)
            failure = code;
        pthread_mutex_unlock(&mutex);
    }
    if (failure) {
        int length = snprintf(line, sizeof line, "%s %s\n", kind, path);
        file = syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        syscall(SYS_write, file, line, length);
        syscall(SYS_close, file);
    }
    errno = failure ? failure : before;
    return failure != 0;
}

/* Of a page half arrives, and then nothing. Less than half a page arrives whole: those are heads of pages. */
static size_t shortened(int fd, size_t count) {
    if (count < 4096 || !fails("short", fd))
        return count;
    return count > 4096 ? count / 2 : 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    if (fails("write", fd))
        return -1;
    size_t written = shortened(fd, count);
    return written || !count ? syscall(SYS_pwrite64, fd, bytes, written, at) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite64(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fails("write", fd))
        return -1;
    size_t written = shortened(fd, count);
    return written || !count ? syscall(SYS_write, fd, bytes, written) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return fails("write", fd) ? -1 : syscall(SYS_writev, fd, parts, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    return fails("read", fd) ? -1 : syscall(SYS_pread64, fd, bytes, count, at);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) {
    return pread64(fd, bytes, count, at);
}

ssize_t read(int fd, void *bytes, size_t count) {
    return fails("read", fd) ? -1 : syscall(SYS_read, fd, bytes, count);
}

int ftruncate64(int fd, off64_t length) {
    return fails("write", fd) ? -1 : syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    return fails("write", fd) ? -1 : syscall(SYS_fallocate, fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    return fallocate64(fd, mode, at, length);
}

int fsync(int fd) {
    return fails("sync", fd) ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails("sync", fd) ? -1 : syscall(SYS_fdatasync, fd);
}
