/*
 * A file layer for tests: what would be left of a folder after a power cut.
 *
 * Preloaded into a server, it follows every write to a regular file under POWERCUT_FOLDER and keeps
 * a second folder, POWERCUT_MIRROR, that holds of each file only what an fsync or fdatasync has
 * covered. Killing the process and taking the mirror for the folder discards everything that was
 * written and not yet synced.
 *
 * A sync covers what was written before it began: the dirty ranges are read at its start and reach
 * the mirror after it has succeeded. Files are told apart by inode, so it does not matter through
 * which descriptor they are written and synced. SQLite's shared memory (-shm) is rebuilt after a
 * crash and is left out. Renaming and removing are taken as durable at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct range {
    off_t start, end;
    struct range *next;
};

struct file {
    dev_t device;
    ino_t inode;
    int tracked;
    /* For reading back. Kept open: closing any descriptor of a file drops the process's locks on it. */
    int source;
    char mirror[PATH_MAX];
    struct range *dirty;
    struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* One sync at a time: a later one must not return, nor reach the mirror, before an earlier one. */
static pthread_mutex_t syncing = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;

static const char *folder(void) { return getenv("POWERCUT_FOLDER"); }

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "powercut: no %s\n", name);
        abort();
    }
    return found;
}

#define REAL(type, name, ...)                                                                       \
    static type (*real_##name)(__VA_ARGS__);                                                       \
    if (!real_##name) real_##name = real(#name)

/* A layer that loses count proves nothing: better no answer than a wrong one. */
static void die(const char *what) {
    fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
    abort();
}

/* Where a path of the folder lies in the mirror. 0: it is not in the folder, or left out. */
static int mirror_of(const char *path, char *mirror) {
    const char *base = folder(), *target = getenv("POWERCUT_MIRROR");
    if (!base || !target) return 0;
    size_t length = strlen(base), whole = strlen(path);
    if (strncmp(path, base, length) != 0 || path[length] != '/') return 0;
    if (whole > 4 && strcmp(path + whole - 4, "-shm") == 0) return 0;
    return snprintf(mirror, PATH_MAX, "%s%s", target, path + length) < PATH_MAX;
}

/* An absolute path for what a call named; relative ones start where the process stands. */
static void absolute(const char *path, char *out) {
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here)) snprintf(out, PATH_MAX, "%s", path);
    else if (snprintf(out, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) out[0] = 0;
}

/* The file behind a descriptor, if it is one that is followed. Called with the lock held. */
static struct file *file_of(int fd) {
    struct stat status;
    if (!folder() || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->inode == status.st_ino && file->device == status.st_dev) return file->tracked ? file : NULL;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    struct file *file = calloc(1, sizeof *file);
    if (!file) die("memory");
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->tracked = mirror_of(path, file->mirror);
    file->source = -1;
    file->next = files;
    files = file;
    return file->tracked ? file : NULL;
}

static void dirty(struct file *file, off_t start, off_t end) {
    if (start >= end) return;
    /* Writes mostly follow one another: widen instead of piling up. */
    if (file->dirty && start <= file->dirty->end && end >= file->dirty->start) {
        if (start < file->dirty->start) file->dirty->start = start;
        if (end > file->dirty->end) file->dirty->end = end;
        return;
    }
    struct range *range = malloc(sizeof *range);
    if (!range) die("memory");
    *range = (struct range){start, end, file->dirty};
    file->dirty = range;
}

static off_t size_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_size : 0;
}

/* What a sync is about to make durable: a copy of the dirty ranges, and the file's size. */
struct snapshot {
    struct range *ranges;
    char **bytes;
    size_t count;
    off_t size;
};

static void make_folders(const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            mkdir(part, 0700);
            *at = '/';
        }
}

static void take(struct file *file, int fd, struct snapshot *snapshot) {
    if (file->source < 0) {
        /* The descriptor may be write-only: read through one of our own. */
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        file->source = open(link, O_RDONLY | O_CLOEXEC);
        if (file->source < 0) die(file->mirror);
    }
    *snapshot = (struct snapshot){file->dirty, NULL, 0, size_of(fd)};
    file->dirty = NULL;
    for (struct range *range = snapshot->ranges; range; range = range->next) snapshot->count++;
    snapshot->bytes = calloc(snapshot->count + 1, sizeof *snapshot->bytes);
    if (!snapshot->bytes) die("memory");
    size_t index = 0;
    for (struct range *range = snapshot->ranges; range; range = range->next, index++) {
        if (range->end > snapshot->size) range->end = snapshot->size;
        off_t length = range->end - range->start;
        if (length <= 0) continue;
        snapshot->bytes[index] = malloc((size_t)length);
        if (!snapshot->bytes[index]) die("memory");
        for (off_t done = 0; done < length;) {
            ssize_t got = pread(file->source, snapshot->bytes[index] + done, (size_t)(length - done), range->start + done);
            if (got <= 0) die("reading back");
            done += got;
        }
    }
}

static void free_snapshot(struct snapshot *snapshot) {
    for (size_t index = 0; index < snapshot->count; index++) free(snapshot->bytes[index]);
    free(snapshot->bytes);
    while (snapshot->ranges) {
        struct range *next = snapshot->ranges->next;
        free(snapshot->ranges);
        snapshot->ranges = next;
    }
}

/* Puts a snapshot into the mirror, or, where the sync failed, back among what is dirty. */
static void settle(struct file *file, struct snapshot *snapshot, int synced) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    REAL(int, ftruncate, int, off_t);
    if (synced) {
        make_folders(file->mirror);
        int target = open(file->mirror, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (target < 0) die(file->mirror);
        size_t index = 0;
        for (struct range *range = snapshot->ranges; range; range = range->next, index++) {
            off_t length = range->end - range->start;
            for (off_t done = 0; done < length;) {
                ssize_t put = real_pwrite(target, snapshot->bytes[index] + done, (size_t)(length - done), range->start + done);
                if (put <= 0) die("writing the mirror");
                done += put;
            }
        }
        if (real_ftruncate(target, snapshot->size) != 0) die("sizing the mirror");
        close(target);
    } else {
        for (struct range *range = snapshot->ranges; range; range = range->next) dirty(file, range->start, range->end);
    }
    free_snapshot(snapshot);
}

static int sync_with(int fd, int (*sync)(int)) {
    struct snapshot snapshot;
    pthread_mutex_lock(&syncing);
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd);
    if (file) take(file, fd, &snapshot);
    pthread_mutex_unlock(&lock);
    int result = sync(fd), error = errno;
    if (file) {
        pthread_mutex_lock(&lock);
        settle(file, &snapshot, result == 0);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_unlock(&syncing);
    errno = error;
    return result;
}

/* Every call that writes, with the lock held: a range is dirty before anybody can sync it. */
#define WRITING(fd, at, call)                                                                       \
    do {                                                                                           \
        pthread_mutex_lock(&lock);                                                                 \
        struct file *file = file_of(fd);                                                           \
        off_t start = file ? (at) : 0;                                                             \
        if (file && (fcntl(fd, F_GETFL) & O_APPEND)) start = size_of(fd);                          \
        ssize_t written = (call);                                                                  \
        int error = errno;                                                                         \
        if (file && written > 0) dirty(file, start, start + written);                              \
        int through = file && written > 0 && (fcntl(fd, F_GETFL) & O_DSYNC);                       \
        if (through) {                                                                             \
            struct snapshot snapshot;                                                              \
            take(file, fd, &snapshot);                                                             \
            settle(file, &snapshot, 1);                                                            \
        }                                                                                          \
        pthread_mutex_unlock(&lock);                                                               \
        errno = error;                                                                             \
        return written;                                                                            \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    struct stat status;
    /* Sockets and pipes may block: never with the lock held. */
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return real_write(fd, bytes, count);
    WRITING(fd, lseek(fd, 0, SEEK_CUR), real_write(fd, bytes, count));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return real_writev(fd, parts, count);
    WRITING(fd, lseek(fd, 0, SEEK_CUR), real_writev(fd, parts, count));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    WRITING(fd, at, real_pwrite(fd, bytes, count, at));
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    WRITING(fd, at, real_pwrite64(fd, bytes, count, at));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    WRITING(fd, at, real_pwritev(fd, parts, count, at));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
    WRITING(fd, at, real_pwritev64(fd, parts, count, at));
}

#define SIZING(fd, length, call)                                                                    \
    do {                                                                                           \
        pthread_mutex_lock(&lock);                                                                 \
        struct file *file = file_of(fd);                                                           \
        off_t before = file ? size_of(fd) : 0;                                                     \
        int result = (call);                                                                       \
        int error = errno;                                                                         \
        /* What is cut off and grows again is zeros: the mirror must learn of that. */             \
        if (file && result == 0) dirty(file, (length) < before ? (length) : before, LONG_MAX);     \
        pthread_mutex_unlock(&lock);                                                               \
        errno = error;                                                                             \
        return result;                                                                             \
    } while (0)

int ftruncate(int fd, off_t length) {
    REAL(int, ftruncate, int, off_t);
    SIZING(fd, length, real_ftruncate(fd, length));
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    SIZING(fd, length, real_ftruncate64(fd, length));
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return sync_with(fd, real_fsync);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return sync_with(fd, real_fdatasync);
}

static void forget(const char *path) {
    struct stat status;
    if (!folder() || stat(path, &status) != 0) return;
    for (struct file **at = &files; *at; at = &(*at)->next)
        if ((*at)->inode == status.st_ino && (*at)->device == status.st_dev) {
            /* Its number may be given to another file. Whoever still holds it open is not followed. */
            *at = (*at)->next;
            return;
        }
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    char whole[PATH_MAX], mirror[PATH_MAX];
    absolute(path, whole);
    pthread_mutex_lock(&lock);
    forget(path);
    int result = real_unlink(path), error = errno;
    if (result == 0 && mirror_of(whole, mirror)) real_unlink(mirror);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    REAL(int, unlink, const char *);
    char whole[PATH_MAX], old_mirror[PATH_MAX], new_mirror[PATH_MAX];
    pthread_mutex_lock(&lock);
    forget(to);
    struct stat status;
    int known = stat(from, &status) == 0;
    int result = real_rename(from, to), error = errno;
    if (result == 0) {
        absolute(from, whole);
        int was = mirror_of(whole, old_mirror);
        absolute(to, whole);
        if (mirror_of(whole, new_mirror)) {
            make_folders(new_mirror);
            /* What was never synced has no bytes to come along with its name. */
            if (!was || real_rename(old_mirror, new_mirror) != 0) real_unlink(new_mirror);
            for (struct file *file = files; known && file; file = file->next)
                if (file->inode == status.st_ino && file->device == status.st_dev) {
                    snprintf(file->mirror, sizeof file->mirror, "%s", new_mirror);
                    file->tracked = 1;
                }
        } else if (was) {
            real_unlink(old_mirror);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
