/* The least that a thousand steps can cost: posix_spawn and waitpid in a loop, and nothing else. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    char *words[] = {"true", NULL};
    for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--) {
        pid_t pid;
        int status;
        if (posix_spawnp(&pid, "true", NULL, NULL, words, environ) != 0 || waitpid(pid, &status, 0) != pid || status != 0) return 1;
    }
    return 0;
}
