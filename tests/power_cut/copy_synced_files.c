/* Shows what a power cut would leave of a folder. Preloaded into a program (LD_PRELOAD), it copies
 * each file of the folder SYNCED_FROM into the folder SYNCED_TO when the program has synced it. What
 * was written since then is in the machine's memory only, and a power cut takes it.
 *
 * Each copy is a file at its own last sync. Together they are what a power cut can leave, if one
 * thread at a time writes and syncs, as SQLite's one writer does:
 *
 * - That thread is inside of the sync while its file is copied, so nobody writes to the file, and
 *   the copies follow the order of the syncs.
 * - A program that is killed between a sync and its copy has done nothing yet that builds on the
 *   sync: the copies are those of a power cut right before it.
 * - SQLite moves pages from its log to the database only when the log is synced, and starts the log
 *   anew only when the database is. So at every moment the two copies hold all between them. Once
 *   the header of a new log is synced, the pages of the old one are in the copy of the database.
 *
 * The index beside the log (-shm) is never synced and so never copied. A file that the program
 * deletes keeps its copy until the folder itself is synced, as it may keep its place on a disk.
 *
 * A disk may keep more than was synced, and in any order. That is not shown: it is the least that
 * is left.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* A copy that is missing would look like a loss: better no program than a wrong one. */
static void fail(const char *what)
{
    perror(what);
    abort();
}

static void join(char *path, const char *folder, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        fail("a path that is too long");
}

/* Reads from the program's own descriptor: closing another one of the same file would drop the locks
 * that the program has on it. */
static void copy(int from, const char *folder, const char *name)
{
    char path[PATH_MAX], unfinished[PATH_MAX];
    static char bytes[1 << 16];
    off_t offset = 0;
    ssize_t length;
    int to;

    join(path, folder, name);
    join(unfinished, folder, ".unfinished");
    to = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        fail(unfinished);
    while ((length = pread(from, bytes, sizeof bytes, offset)) > 0) {
        if (write(to, bytes, (size_t)length) != length)
            fail(unfinished);
        offset += length;
    }
    if (length < 0 || close(to) != 0 || rename(unfinished, path) != 0)
        fail(path);
}

/* The folder was synced: what is not in it any more is gone for good. */
static void forget_deleted(const char *from, const char *to)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *copies = opendir(to);

    if (copies == NULL)
        fail(to);
    while ((entry = readdir(copies)) != NULL) {
        join(path, from, entry->d_name);
        if (access(path, F_OK) == 0)
            continue;
        join(path, to, entry->d_name);
        if (unlink(path) != 0)
            fail(path);
    }
    closedir(copies);
}

static void synced(int descriptor)
{
    const char *from = getenv("SYNCED_FROM"), *to = getenv("SYNCED_TO");
    char link[64], path[PATH_MAX], *name;
    struct stat file;
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    if (from == NULL || to == NULL || length < 0 || fstat(descriptor, &file) != 0)
        fail("copy_synced_files");
    path[length] = '\0';
    if (S_ISDIR(file.st_mode) && strcmp(path, from) == 0) {
        forget_deleted(from, to);
    } else if (S_ISREG(file.st_mode) && file.st_nlink > 0) {
        name = strrchr(path, '/');
        *name = '\0';
        if (strcmp(path, from) == 0)
            copy(descriptor, to, name + 1);
    }
}

static int sync_and_copy(const char *function, int descriptor)
{
    int (*sync)(int), outcome, error;

    *(void **)&sync = dlsym(RTLD_NEXT, function);
    if (sync == NULL)
        fail(function);
    pthread_mutex_lock(&one_at_a_time);
    outcome = sync(descriptor);
    error = errno;
    if (outcome == 0)
        synced(descriptor);
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return outcome;
}

int fsync(int descriptor)
{
    return sync_and_copy("fsync", descriptor);
}

int fdatasync(int descriptor)
{
    return sync_and_copy("fdatasync", descriptor);
}
