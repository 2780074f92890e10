/* SPDX-License-Identifier: MIT */
/* What the embedded engine does beside the application's threads. */
#ifndef USLAB_LIB_BACKGROUND_H
#define USLAB_LIB_BACKGROUND_H

#include "embedded.h"

/* Make sure that the process has its background threads. Failure is survived. */
void background_start(void);

/*
 * Have all CPU caches emptied into the engine and wait for that, not for ever.
 * Returns pages freed; 0 in a child process that has made no pool of its own.
 */
u64 background_drain(struct embedded *embedded);

#endif /* USLAB_LIB_BACKGROUND_H */
