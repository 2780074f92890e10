// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the engine's KUnit suites in user space and prints TAP. Arguments select
 * cases or suites by name.
 */
#include <string.h>
#include <kunit/test.h>

static struct kunit_suite *suites, **last_suite = &suites;

void kunit_add(struct kunit_suite *suite)
{
	*last_suite = suite;
	last_suite = &suite->next;
}

static bool wanted(const char *suite, const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name) || !strcmp(argv[i], suite))
			return true;
	return argc < 2;
}

static void run_case(struct kunit_suite *suite, struct kunit_case *this, struct kunit *test)
{
	if (suite->init && suite->init(test)) {
		test->failed = true;
		return;
	}
	if (!setjmp(test->end))
		this->run_case(test);
	if (suite->exit)
		suite->exit(test);
}

int main(int argc, char **argv)
{
	struct kunit_suite *suite;
	struct kunit_case *this;
	int failures = 0;
	int number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	for (suite = suites; suite; suite = suite->next) {
		for (this = suite->test_cases; this->run_case; this++) {
			struct kunit test = { .name = this->name };

			if (!wanted(suite->name, this->name, argc, argv))
				continue;
			run_case(suite, this, &test);
			printf("%s %d - %s: %s%s%s\n", test.failed ? "not ok" : "ok", ++number,
			       suite->name, this->name, test.skipped ? " # SKIP " : "",
			       test.skipped ? test.skipped : "");
			failures += test.failed;
		}
	}
	printf("1..%d\n", number);
	return failures != 0;
}
