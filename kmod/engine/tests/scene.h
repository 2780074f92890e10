/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A governor, tunables, and what it is shown of a pool. Nothing waits: time is a number. */
#ifndef USLAB_ENGINE_TESTS_SCENE_H
#define USLAB_ENGINE_TESTS_SCENE_H

#include "fixture.h"

#define SECOND		(100 * USLAB_CENTISEC)
#define NOW		(1000 * SECOND)
#define MB		(1ull << 20)
#define GB		(1ull << 30)
#define MEMORY		(100 * GB)
#define BACKGROUND	(10 * GB)	/* of the initial ratios */
#define HARD		(30 * GB)
#define TRANSITION	SECOND		/* the initial one */
#define PASS_MAX	(16 * MB)	/* what one pass takes back at most */

struct scene {
	struct uslab_tunables tunables;
	struct uslab_tunables other;
	struct uslab_governor gov;
	struct uslab_view view;
	struct uslab_plan plan;
};

static inline int scene_init(struct kunit *test)
{
	struct scene *scene = test_alloc(sizeof(*scene));

	test->priv = scene;
	if (!scene)
		return -ENOMEM;
	uslab_tunables_init(&scene->tunables);
	uslab_tunables_init(&scene->other);
	scene->view.now = NOW;
	scene->view.memory = MEMORY;
	scene->gov.aged = NOW;
	return 0;
}

static inline void scene_exit(struct kunit *test)
{
	test_free(test->priv);
}

static inline struct uslab_plan *plan(struct scene *scene)
{
	memset(&scene->plan, 0xff, sizeof(scene->plan));
	uslab_governor_plan(&scene->gov, &scene->tunables, &scene->view, &scene->plan);
	return &scene->plan;
}

/* Something to do, whatever it is? */
static inline bool busy(const struct uslab_plan *plan)
{
	return plan->age || plan->again || plan->idle || plan->pages;
}

static inline bool look(struct scene *scene, u64 now, u32 used)
{
	scene->view.now = now;
	scene->view.used = used;
	return uslab_governor_look(&scene->gov, &scene->tunables, &scene->view);
}

#endif /* USLAB_ENGINE_TESTS_SCENE_H */
