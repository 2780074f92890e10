/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as the engine's suites use, for user space: the same source
 * runs in the kernel as a module and here under the sanitizers. ASSERT_* end the
 * case, EXPECT_* go on.
 */
#ifndef USLAB_SELFTESTS_KUNIT_H
#define USLAB_SELFTESTS_KUNIT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct kunit {
	void *priv;
	const char *name;
	bool failed;
	const char *skipped;
	jmp_buf end;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;		/* here only */
};

void kunit_add(struct kunit_suite *suite);

#define KUNIT_CASE(fn)		{ .run_case = (fn), .name = #fn }

#define kunit_test_suite(suite)						\
	__attribute__((constructor)) static void kunit_add_this(void)	\
	{								\
		kunit_add(&(suite));					\
	}								\
	_Static_assert(1, "takes a semicolon")

#define kunit_info(test, fmt, ...)	printf("# %s: " fmt, (test)->name, ##__VA_ARGS__)

#define kunit_skip(test, why)						\
	do {								\
		(test)->skipped = (why);				\
		longjmp((test)->end, 1);				\
	} while (0)

#define KUNIT_CHECK_(test, ok, fatal, text, ...)			\
	do {								\
		if (ok)							\
			break;						\
		(test)->failed = true;					\
		printf("# %s:%d: " text "\n", __FILE__, __LINE__, ##__VA_ARGS__); \
		if (fatal)						\
			longjmp((test)->end, 1);			\
	} while (0)

#define KUNIT_BINARY_(test, l, op, r, fatal)				\
	do {								\
		__typeof__(l) l_ = (l);					\
		__typeof__(r) r_ = (r);					\
		KUNIT_CHECK_(test, l_ op r_, fatal, "%s %s %s does not hold: %lld, %lld", \
			     #l, #op, #r, (long long)l_, (long long)r_); \
	} while (0)

#define KUNIT_POINTER_(test, l, op, r, fatal)				\
	KUNIT_CHECK_(test, (const void *)(l) op (const void *)(r), fatal, \
		     "%s %s %s does not hold", #l, #op, #r)

#define KUNIT_FAIL(test, ...)		KUNIT_CHECK_(test, false, false, __VA_ARGS__)

#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_CHECK_(test, c, false, "%s is false", #c)
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_CHECK_(test, !(c), false, "%s is true", #c)
#define KUNIT_EXPECT_EQ(test, l, r)	KUNIT_BINARY_(test, l, ==, r, false)
#define KUNIT_EXPECT_NE(test, l, r)	KUNIT_BINARY_(test, l, !=, r, false)
#define KUNIT_EXPECT_LT(test, l, r)	KUNIT_BINARY_(test, l, <, r, false)
#define KUNIT_EXPECT_LE(test, l, r)	KUNIT_BINARY_(test, l, <=, r, false)
#define KUNIT_EXPECT_GT(test, l, r)	KUNIT_BINARY_(test, l, >, r, false)
#define KUNIT_EXPECT_GE(test, l, r)	KUNIT_BINARY_(test, l, >=, r, false)
#define KUNIT_EXPECT_PTR_EQ(test, l, r)	KUNIT_POINTER_(test, l, ==, r, false)
#define KUNIT_EXPECT_PTR_NE(test, l, r)	KUNIT_POINTER_(test, l, !=, r, false)
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_CHECK_(test, c, true, "%s is false", #c)
#define KUNIT_ASSERT_EQ(test, l, r)	KUNIT_BINARY_(test, l, ==, r, true)
#define KUNIT_ASSERT_LE(test, l, r)	KUNIT_BINARY_(test, l, <=, r, true)
#define KUNIT_ASSERT_LT(test, l, r)	KUNIT_BINARY_(test, l, <, r, true)
#define KUNIT_ASSERT_PTR_NE(test, l, r)	KUNIT_POINTER_(test, l, !=, r, true)

#endif /* USLAB_SELFTESTS_KUNIT_H */
