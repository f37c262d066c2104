/* The two kernel mechanisms behind lib/sandbox.h; private to sandbox*.c. */
#ifndef OBMEN_SANDBOX_PARTS_H
#define OBMEN_SANDBOX_PARTS_H

#include <stdbool.h>

/* Address and thread sanitizers make calls of their own that no list foresees. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_FILTER 0
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_FILTER 0
#endif
#ifndef SANDBOX_FILTER
#define SANDBOX_FILTER 1
#endif

/* Landlock: files below directory only (NULL: none), TCP as `allow` says. True also when the kernel
 * has no Landlock; false with errno. */
bool sandbox_landlock_restrict(unsigned allow, const char *directory);

/* Loads the seccomp filter; false with a logged reason. */
bool sandbox_filter(unsigned allow);

#endif
