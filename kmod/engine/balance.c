// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "balance.h"

#define PAY_MAGAZINES	2u		/* what one put takes back at most */

u64 uslab_balance_set(struct uslab_core *core, const struct uslab_tunables *tunables, u64 memory)
{
	u64 hard = uslab_thresholds(tunables, memory).hard;
	u32 size = core->geo.magazine_size;
	u64 limit = 0;

	/* a put that could take nothing back must not try */
	if (hard != U64_MAX && READ_ONCE(tunables->mode) == USLAB_MODE_AUTO) {
		limit = min_t(u64, READ_ONCE(tunables->min_idle), U64_MAX - size) + size;
		limit = max_t(u64, limit, hard / core->geo.stride);
	}
	WRITE_ONCE(core->idle_limit, limit);
	return limit;
}

bool uslab_balance_put(const struct uslab_core *core, struct uslab_pass *pass)
{
	u64 limit = READ_ONCE(core->idle_limit);

	if (!limit || uslab_core_idle_objects(core) <= limit)
		return false;
	*pass = (struct uslab_pass){
		.pages = U64_MAX, .objects = PAY_MAGAZINES * core->geo.magazine_size,
	};
	return true;
}

bool uslab_balance_get(const struct uslab_core *core, const struct uslab_tunables *tunables,
		       u64 memory, u32 nr, struct uslab_pass *pass)
{
	u64 limit = uslab_memory_limit(tunables, memory);
	u64 more = (u64)nr * core->geo.stride;

	if (READ_ONCE(tunables->mode) == USLAB_MODE_MANUAL ||
	    uslab_core_backed_bytes(core) + more <= limit || !uslab_core_idle_objects(core))
		return false;
	*pass = (struct uslab_pass){
		.pages = DIV_ROUND_UP(more, (u64)PAGE_SIZE), .objects = U64_MAX,
	};
	return true;
}
