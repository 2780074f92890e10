// SPDX-License-Identifier: GPL-2.0-only
/* The control of conserve.c: it must catch get and put without restartable sequences. */
#define CONSERVE_BROKEN
#include "conserve.c"
