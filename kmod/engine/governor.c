// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "governor.h"

#define GROWTH_LEAST	(4ull << 20)	/* a smaller pool is not worth a step */
#define BREAKER_TRIPS	3u
#define BREAKER_PERIOD	(100 * USLAB_CENTISEC)	/* between two level-1 events, at least */

/* Tunables */

const struct uslab_tunable uslab_tunables_table[USLAB_NR_TUNABLES] = {
#define USLAB_TUNABLE(field, ...)						\
	{ #field, offsetof(struct uslab_tunables, field),			\
	  sizeof_field(struct uslab_tunables, field), __VA_ARGS__ },
#include "tunable_defs.h"
};

u64 uslab_tunable_get(const struct uslab_tunables *tunables, u32 index)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[index];
	const char *field = (const char *)tunables + tunable->offset;

	return tunable->width == sizeof(u64) ? READ_ONCE(*(const u64 *)field) :
					       READ_ONCE(*(const u32 *)field);
}

static void tunable_write(struct uslab_tunables *tunables, u32 index, u64 value)
{
	const struct uslab_tunable *tunable = &uslab_tunables_table[index];
	char *field = (char *)tunables + tunable->offset;

	if (tunable->width == sizeof(u64))
		WRITE_ONCE(*(u64 *)field, value);
	else
		WRITE_ONCE(*(u32 *)field, (u32)value);
}

u32 uslab_tunable_group(u32 index)
{
	u32 group = uslab_tunables_table[index].group;
	u32 bits = 1u << index;
	u32 i;

	for (i = 0; group && i < USLAB_NR_TUNABLES; i++)
		if (uslab_tunables_table[i].group == group)
			bits |= 1u << i;
	return bits;
}

void uslab_tunable_set(struct uslab_tunables *tunables, u32 index, u64 value)
{
	u32 others = uslab_tunable_group(index) & ~(1u << index);
	u32 i;

	for (i = 0; value && i < USLAB_NR_TUNABLES; i++)
		if (others & 1u << i)
			tunable_write(tunables, i, 0);
	tunable_write(tunables, index, value);
}

void uslab_tunables_init(struct uslab_tunables *tunables)
{
	u32 i;

	memset(tunables, 0, sizeof(*tunables));
	tunables->size = sizeof(*tunables);
	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		tunable_write(tunables, i, uslab_tunables_table[i].initial);
}

void uslab_tunables_follow(struct uslab_tunables *tunables, u32 own,
			   const struct uslab_tunables *defaults)
{
	u32 i;

	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		if (!(own & 1u << i))
			tunable_write(tunables, i, uslab_tunable_get(defaults, i));
}

u32 uslab_tunables_differ(const struct uslab_tunables *a, const struct uslab_tunables *b)
{
	u32 differ = 0;
	u32 i;

	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		if (uslab_tunable_get(a, i) != uslab_tunable_get(b, i))
			differ |= 1u << i;
	return differ;
}

/* What bytes and ratio say together; @none when neither says anything. */
static u64 amount(u64 bytes, u32 percent, u64 memory, u64 none)
{
	if (bytes)
		return bytes;
	return percent ? memory / 100 * percent : none;
}

#define BIT_OF(field)	(1u << USLAB_TUNABLE_##field)
#define BACKGROUND	(BIT_OF(idle_background_ratio) | BIT_OF(idle_background_bytes))
#define HARD		(BIT_OF(idle_ratio) | BIT_OF(idle_bytes))
#define LEVELS		(BIT_OF(pressure_low_percent) | BIT_OF(pressure_medium_percent) | \
			 BIT_OF(pressure_critical_percent))

int uslab_tunables_check(const struct uslab_tunables *tunables, u64 memory, u32 changed)
{
	u64 background, hard;
	u32 i;

	for (i = 0; i < USLAB_NR_TUNABLES; i++) {
		u64 value = uslab_tunable_get(tunables, i);

		if (value < uslab_tunables_table[i].min || value > uslab_tunables_table[i].max)
			return -EINVAL;
	}
	background = amount(tunables->idle_background_bytes, tunables->idle_background_ratio,
			    memory, 0);
	hard = amount(tunables->idle_bytes, tunables->idle_ratio, memory, U64_MAX);
	if (changed & (BACKGROUND | HARD) && background > hard)
		return -EINVAL;
	if (changed & LEVELS &&
	    (tunables->pressure_low_percent >= tunables->pressure_medium_percent ||
	     tunables->pressure_medium_percent >= tunables->pressure_critical_percent))
		return -EINVAL;
	return 0;
}

int uslab_tunables_change(struct uslab_tunables *tunables, u32 *own,
			  const struct uslab_tunables *wanted, u32 take, u32 follow, u64 memory)
{
	u32 changed = uslab_tunables_differ(tunables, wanted);
	u32 mine = *own | take;
	u32 i;
	int err;

	for (i = 0; i < USLAB_NR_TUNABLES; i++)
		if (changed & 1u << i)
			mine |= uslab_tunable_group(i);
	mine &= ~follow;
	/* a background threshold that nobody set gives way to a lower hard one */
	if (!(mine & BACKGROUND))
		changed &= ~(BACKGROUND | HARD);
	err = uslab_tunables_check(wanted, memory, changed);
	if (err)
		return err;
	uslab_tunables_follow(tunables, 0, wanted);
	*own = mine;
	return 0;
}

struct uslab_thresholds uslab_thresholds(const struct uslab_tunables *tunables,
					 u64 memory)
{
	struct uslab_thresholds thresholds;

	thresholds.hard = amount(READ_ONCE(tunables->idle_bytes),
				 READ_ONCE(tunables->idle_ratio), memory, U64_MAX);
	/* the memory that ratios are of may have changed since they were checked */
	thresholds.background = min_t(u64, thresholds.hard,
				      amount(READ_ONCE(tunables->idle_background_bytes),
					     READ_ONCE(tunables->idle_background_ratio), memory,
					     U64_MAX));
	return thresholds;
}

u64 uslab_memory_limit(const struct uslab_tunables *tunables, u64 memory)
{
	return amount(READ_ONCE(tunables->memory_limit),
		      READ_ONCE(tunables->memory_limit_percent), memory, U64_MAX);
}

/* The worker */

/* Who took the time first may come second: then it is just now. */
static u64 since(u64 then, u64 now)
{
	return now > then ? now - then : 0;
}

static u64 centisecs(u32 n)
{
	return n * USLAB_CENTISEC;
}

/*
 * What lies in a depot goes at the second step, after some time in the current
 * generation and a whole interval as a victim: after one to two intervals.
 */
static u64 aging_step(const struct uslab_tunables *tunables)
{
	return centisecs(READ_ONCE(tunables->idle_expire_centisecs)) / 2;
}

/* How much of the nearest limit is in use, per mille, the pool's own included. */
static u32 nearness(const struct uslab_tunables *tunables, const struct uslab_view *view)
{
	u64 limit = uslab_memory_limit(tunables, view->memory);
	u32 own = limit == U64_MAX ? 0 : uslab_per_mille(view->backed, limit);

	return max_t(u32, view->used, own);
}

bool uslab_governor_grown(const struct uslab_governor *gov, const struct uslab_tunables *tunables,
			  u64 backed)
{
	u32 percent = READ_ONCE(tunables->growth_percent);
	u64 base = max_t(u64, READ_ONCE(gov->held), GROWTH_LEAST);

	return percent && backed > READ_ONCE(gov->grown) && backed > base + base / 100 * percent;
}

/* Bytes of idle objects above background, when that has lasted. */
static u64 plan_idle(struct uslab_governor *gov, const struct uslab_tunables *tunables,
		     const struct uslab_view *view)
{
	u64 background = uslab_thresholds(tunables, view->memory).background;

	if (view->idle <= background) {
		gov->over = 0;
		return 0;
	}
	if (!gov->over)
		gov->over = view->now;
	if (since(gov->over, view->now) < centisecs(READ_ONCE(tunables->transition_centisecs)))
		return 0;
	return max_t(u64, view->idle - background, READ_ONCE(tunables->min_reclaim_bytes));
}

/* Bytes of pages above a limit: memory_limit, or where the circuit breaker acts. */
static u64 plan_pages(const struct uslab_governor *gov, const struct uslab_tunables *tunables,
		      const struct uslab_view *view)
{
	u64 limit = uslab_memory_limit(tunables, view->memory);
	u32 low = READ_ONCE(tunables->pressure_low_percent);
	u64 bytes = 0;

	if (!view->idle)
		return 0;
	if (gov->breaker && limit != U64_MAX)
		limit = limit / 100 * low;
	if (view->backed > limit)
		bytes = view->backed - limit;
	if (gov->breaker && view->used > low * 10)
		bytes = max_t(u64, bytes, view->memory / 1000 * (view->used - low * 10));
	return bytes ? max_t(u64, bytes, READ_ONCE(tunables->min_reclaim_bytes)) : 0;
}

void uslab_governor_plan(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view, struct uslab_plan *plan)
{
	u64 idle, pages;

	memset(plan, 0, sizeof(*plan));
	idle = plan_idle(gov, tunables, view);
	pages = plan_pages(gov, tunables, view);
	if (view->now < gov->not_before)
		return;
	if (READ_ONCE(tunables->mode) == USLAB_MODE_MANUAL) {
		if (!gov->breaker)
			return;
		idle = 0;
	} else {
		plan->age = since(gov->aged, view->now) >= aging_step(tunables) ||
			    uslab_governor_grown(gov, tunables, view->backed);
	}
	plan->again = max_t(u64, idle, pages) > USLAB_PASS_BYTES;
	gov->again = plan->again;
	plan->idle = min_t(u64, idle, USLAB_PASS_BYTES);
	plan->pages = DIV_ROUND_UP(min_t(u64, pages, USLAB_PASS_BYTES), (u64)PAGE_SIZE);
	if (plan->age)
		gov->aged = view->now;
}

void uslab_governor_done(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view, u64 took)
{
	u32 percent = READ_ONCE(tunables->reclaim_cpu_percent);

	gov->not_before = view->now + took * (100 - percent) / percent;
	/* what comes above background from here on has to last as well */
	if (!gov->again || view->idle <= uslab_thresholds(tunables, view->memory).background)
		gov->over = 0;
	/* read without the lock where a pool grows */
	WRITE_ONCE(gov->held, view->backed - min_t(u64, view->idle, view->backed));
	WRITE_ONCE(gov->grown, view->backed);
}

u64 uslab_governor_next(const struct uslab_governor *gov, const struct uslab_tunables *tunables,
			u64 now, bool again)
{
	u64 period = centisecs(READ_ONCE(tunables->idle_aging_centisecs));
	u64 lasted = gov->over + centisecs(READ_ONCE(tunables->transition_centisecs));
	u64 next = now + period;

	if (!period)
		return 0;
	if (again)
		next = now + 1;
	else if (gov->over && lasted > now)
		next = min_t(u64, next, lasted);
	return max_t(u64, next, gov->not_before);
}

/* Pressure */

u32 uslab_pressure_level(const struct uslab_tunables *tunables, u32 used)
{
	if (used >= READ_ONCE(tunables->pressure_critical_percent) * 10)
		return USLAB_PRESSURE_CRITICAL;
	if (used >= READ_ONCE(tunables->pressure_medium_percent) * 10)
		return USLAB_PRESSURE_MEDIUM;
	if (used >= READ_ONCE(tunables->pressure_low_percent) * 10)
		return USLAB_PRESSURE_LOW;
	return USLAB_PRESSURE_NONE;
}

bool uslab_governor_look(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 const struct uslab_view *view)
{
	u32 level = uslab_pressure_level(tunables, nearness(tunables, view));

	if (level == gov->level) {
		gov->falling = 0;
		return false;
	}
	if (level < gov->level) {
		if (!gov->falling)
			gov->falling = view->now;
		if (since(gov->falling, view->now) <
		    centisecs(READ_ONCE(tunables->transition_centisecs)))
			return false;
	}
	gov->falling = 0;
	gov->level = level;
	return true;
}

enum uslab_breaker uslab_governor_breaker(struct uslab_governor *gov,
					  const struct uslab_tunables *tunables,
					const struct uslab_view *view)
{
	u32 level = uslab_pressure_level(tunables, nearness(tunables, view));

	if (READ_ONCE(tunables->mode) != USLAB_MODE_MANUAL || level == USLAB_PRESSURE_NONE) {
		bool open = gov->breaker;

		WRITE_ONCE(gov->breaker, 0);
		gov->trips = 0;
		return open ? USLAB_BREAKER_CLOSES : USLAB_BREAKER_NOTHING;
	}
	if (level < USLAB_PRESSURE_MEDIUM || gov->trips == BREAKER_TRIPS)
		return USLAB_BREAKER_NOTHING;
	if (gov->trips && since(gov->tripped, view->now) < BREAKER_PERIOD)
		return USLAB_BREAKER_NOTHING;
	gov->tripped = view->now;
	gov->trips++;
	gov->ceiling = view->backed;
	WRITE_ONCE(gov->breaker, gov->trips < BREAKER_TRIPS ? USLAB_BREAKER_RECLAIMS :
							      USLAB_BREAKER_REFUSES);
	return (enum uslab_breaker)gov->breaker;
}

u32 uslab_governor_batch(struct uslab_governor *gov, const struct uslab_tunables *tunables,
			 u64 now, u64 bytes, u32 nr, u32 few, enum uslab_breaker *event)
{
	u64 period = centisecs(READ_ONCE(tunables->transition_centisecs));
	u64 pressed;

	*event = USLAB_BREAKER_NOTHING;
	if (gov->breaker >= USLAB_BREAKER_REFUSES && bytes > gov->ceiling &&
	    READ_ONCE(tunables->mode) == USLAB_MODE_MANUAL) {
		if (gov->breaker == USLAB_BREAKER_REFUSES)
			*event = USLAB_BREAKER_TELLS;
		WRITE_ONCE(gov->breaker, USLAB_BREAKER_TELLS);
		return 0;
	}
	pressed = READ_ONCE(gov->pressed);
	if (pressed && since(pressed, now) < period)
		return min_t(u32, nr, few);
	if (pressed)
		uslab_cmpxchg64(&gov->pressed, pressed, 0);
	return nr;
}
