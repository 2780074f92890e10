/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test program is a list of functions; each is one behaviour, and its name
 * says which.
 *
 *	TEST(put_of_null_does_nothing)
 *	{
 *		uslab_put(pool, NULL);
 *		EXPECT_EQ(errno, 0);
 *	}
 *	TEST_MAIN
 *
 * EXPECT_* go on after a failure, ASSERT_* end the test. SKIP("why") ends it
 * without a verdict. Arguments of the program select tests by name. Output is
 * TAP; the exit status is 0, 1 (something failed) or 4 (all skipped).
 */
#ifndef USLAB_SELFTESTS_TEST_H
#define USLAB_SELFTESTS_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*fn)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static jmp_buf test_end;
static int test_failed;
static const char *test_skipped;

#define TEST(name_)							\
	static void name_(void);					\
	static struct test test_##name_ = { #name_, name_, NULL };	\
	__attribute__((constructor)) static void add_##name_(void)	\
	{								\
		*test_last = &test_##name_;				\
		test_last = &test_##name_.next;				\
	}								\
	static void name_(void)

#define TEST_FAIL(...)							\
	do {								\
		test_failed = 1;					\
		printf("# %s:%d: ", __FILE__, __LINE__);		\
		printf(__VA_ARGS__);					\
		printf("\n");						\
	} while (0)

#define EXPECT(cond)							\
	({								\
		bool ok_ = (cond);					\
		if (!ok_)						\
			TEST_FAIL("%s is false (errno %d: %s)", #cond, errno, strerror(errno)); \
		ok_;							\
	})

#define EXPECT_OP(a, op, b)						\
	({								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
		bool ok_ = a_ op b_;					\
		if (!ok_)						\
			TEST_FAIL("%s %s %s does not hold: %lld, %lld (errno %d)", \
				  #a, #op, #b, a_, b_, errno);		\
		ok_;							\
	})

#define EXPECT_EQ(a, b)	EXPECT_OP(a, ==, b)
#define EXPECT_NE(a, b)	EXPECT_OP(a, !=, b)
#define EXPECT_LE(a, b)	EXPECT_OP(a, <=, b)
#define EXPECT_LT(a, b)	EXPECT_OP(a, <, b)
#define EXPECT_GE(a, b)	EXPECT_OP(a, >=, b)
#define EXPECT_GT(a, b)	EXPECT_OP(a, >, b)

/* An expression that must fail with an errno; what it returns then is up to the caller. */
#define EXPECT_ERRNO(failed, number)					\
	({								\
		errno = 0;						\
		bool failed_ = (failed);				\
		if (!failed_)						\
			TEST_FAIL("%s: should have failed", #failed);	\
		else if (errno != (number))				\
			TEST_FAIL("%s: errno %d (%s), expected %s", #failed, errno, \
				  strerror(errno), #number);		\
		failed_ && errno == (number);				\
	})

#define ASSERT(cond)		do { if (!EXPECT(cond)) longjmp(test_end, 1); } while (0)
#define ASSERT_EQ(a, b)		do { if (!EXPECT_EQ(a, b)) longjmp(test_end, 1); } while (0)
#define SKIP(why)		do { test_skipped = (why); longjmp(test_end, 1); } while (0)

static bool test_wanted(const struct test *test, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc < 2;
}

/* A function of its own: its locals are not those that setjmp() may clobber. */
static void test_run(const struct test *test)
{
	if (!setjmp(test_end))
		test->fn();
}

static int test_main(int argc, char **argv)
{
	int number = 0, failures = 0, skips = 0;
	struct test *test;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	for (test = test_first; test; test = test->next) {
		if (!test_wanted(test, argc, argv))
			continue;
		number++;
		test_failed = 0;
		test_skipped = NULL;
		test_run(test);
		if (test_failed)
			printf("not ok %d - %s\n", number, test->name);
		else if (test_skipped)
			printf("ok %d - %s # SKIP %s\n", number, test->name, test_skipped);
		else
			printf("ok %d - %s\n", number, test->name);
		failures += test_failed;
		skips += !test_failed && test_skipped;
	}
	printf("1..%d\n", number);
	return failures ? 1 : number && skips == number ? 4 : 0;
}

#define TEST_MAIN							\
	int main(int argc, char **argv)					\
	{								\
		return test_main(argc, argv);				\
	}

#endif /* USLAB_SELFTESTS_TEST_H */
