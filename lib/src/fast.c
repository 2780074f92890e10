// SPDX-License-Identifier: MIT
/*
 * get and put as symbols, for callers that cannot inline them: other languages,
 * unoptimised builds, function pointers.
 */
#define USLAB_NO_INLINE
#include "pool.h"

USLAB_API void *uslab_get(struct uslab_pool *pool)
{
#ifdef USLAB_HAVE_RSEQ
	uint32_t handle;

	if (likely(__uslab_rseq_pop(pool, &handle) == USLAB_SECTION_OK))
		return __uslab_object(pool, handle);
#endif
	return __uslab_get_slow(pool);
}

USLAB_API void uslab_put(struct uslab_pool *pool, void *object)
{
	if (!object)
		return;
#ifdef USLAB_HAVE_RSEQ
	uint32_t handle = __uslab_handle(pool, object);

	if (likely(__uslab_rseq_push(pool, handle, __uslab_home(pool, handle)) ==
		   USLAB_SECTION_OK))
		return;
#endif
	__uslab_put_slow(pool, object);
}

USLAB_API uint32_t uslab_handle(const struct uslab_pool *pool, const void *object)
{
	return __uslab_handle(pool, object);
}

USLAB_API void *uslab_object(const struct uslab_pool *pool, uint32_t handle)
{
	return __uslab_object(pool, handle);
}
