// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region: how a pool's pages get into page tables, and out of them again.
 *
 * All pages come in by fault and are ordinary, referenced pages, so that
 * whoever pins one for I/O may. Nothing here is tied to a VMA: a mapping that
 * was split, moved or inherited is unmapped like any other, by the address
 * space of the pool's inode.
 *
 * Pages of the control and shared areas stay until the pool goes. A page of
 * the object space goes when no object needs it, and between looking it up and
 * entering it in the page table a fault must not lose it:
 *
 *	fault					reclaim, under the home's lock
 *	-----					------------------------------
 *	lock slots_lock				trylock page, else leave it
 *	page = *slot, get page			lock slots_lock
 *	unlock slots_lock			*slot = NULL
 *	lock page				unlock slots_lock
 *	*slot == page? else start again		unlock page
 *	enter it in the page table		(after some of these:)
 *	unlock page				unmap the range
 *						put page
 *
 * A fault that has the page locked makes reclaim leave the page. One that
 * locks it after reclaim had it finds the slot changed. So when reclaim
 * unmaps, each fault that found the page has either finished, and is undone,
 * or will start again. Reclaim only tries the page lock: it may have been
 * entered from the very fault that holds it, allocating a page table.
 *
 * slots_lock makes the look-up and the reference one step against the slot's
 * being cleared. The engine fills slots without it: a fault that runs beside
 * sees no page, or the new one, which is there to stay for as long as the
 * fault could be about an object that somebody owns.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "uslab.h"

static vm_fault_t object_fault(struct uslab_pool *pool, u64 offset, struct vm_fault *vmf)
{
	u32 shift = uslab_span_shift(&pool->core.geo);
	struct uslab_node *node = uslab_node(pool->core.homes[offset >> shift]);
	u32 index = (offset & ((1ull << shift) - 1)) >> PAGE_SHIFT;
	struct page *page;
	void **slot;

	spin_lock(&node->slots_lock);
	slot = uslab_slabs_slot(&node->home.slabs, index);
	page = slot ? READ_ONCE(*slot) : NULL;
	if (page)
		get_page(page);
	spin_unlock(&node->slots_lock);
	if (!page)
		return VM_FAULT_SIGBUS;

	lock_page(page);
	if (READ_ONCE(*slot) != page) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_NOPAGE;		/* the access is tried again */
	}
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	struct uslab_pool *pool = vmf->vma->vm_file->private_data;
	struct uslab_geometry *geo = &pool->core.geo;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	struct page *page;

	if (offset < geo->control_size) {
		page = virt_to_page((void *)pool->control + offset);
		goto out;
	}
	offset -= geo->control_size;
	if (offset >= geo->shared_size)
		return object_fault(pool, offset - geo->shared_size, vmf);
	page = uslab_backing_shared_page(pool, offset >> PAGE_SHIFT);
	if (!page)
		return VM_FAULT_SIGBUS;
out:
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct region_vm_ops = {
	.fault = region_fault,
};

static bool inside(u64 start, u64 end, u64 area_start, u64 area_size)
{
	return start >= area_start && end <= area_start + area_size;
}

/**
 * uslab_region_mmap() - map a part of a pool
 * @file: the pool's file
 * @vma: the new mapping
 *
 * VM_MIXEDMAP, although all pages are ordinary ones, keeps NUMA balancing away:
 * its hinting faults would abort restartable sequences. Execution is refused by
 * the file system being noexec.
 *
 * Return: 0, -EINVAL when the mapping is private or not inside one area, or
 * -EPERM when it would write to the control page.
 */
int uslab_region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct uslab_pool *pool = file->private_data;
	struct uslab_geometry *geo = &pool->core.geo;
	u64 start = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 end = start + (vma->vm_end - vma->vm_start);
	u64 objects_start = geo->control_size + geo->shared_size;
	unsigned long clear = VM_MAYEXEC;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (end < start)
		return -EINVAL;
	if (inside(start, end, 0, geo->control_size)) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		clear |= VM_MAYWRITE;
	} else if (!inside(start, end, geo->control_size, geo->shared_size) &&
		   !inside(start, end, objects_start, geo->objects_size)) {
		return -EINVAL;
	}
	uslab_vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, clear);
	vma->vm_ops = &region_vm_ops;
	return 0;
}

/**
 * uslab_region_detach() - take a page out of its slot
 * @home: the home, locked
 * @ref: which page; @ref->detached is set to it
 *
 * Return: false when a fault has it.
 */
bool uslab_region_detach(struct uslab_home *home, struct uslab_page_ref *ref)
{
	struct uslab_node *node = uslab_node(home);
	struct page *page = *ref->slot;

	if (!trylock_page(page))
		return false;
	spin_lock(&node->slots_lock);
	WRITE_ONCE(*ref->slot, NULL);
	spin_unlock(&node->slots_lock);
	unlock_page(page);
	ref->detached = page;
	return true;
}

/**
 * uslab_region_unmap() - remove all mappings of a range of a home's span
 * @home: the home, locked
 * @first_page: number of the first page in the span
 * @nr_pages: how many
 */
void uslab_region_unmap(struct uslab_home *home, u32 first_page, u32 nr_pages)
{
	struct uslab_pool *pool = uslab_pool(home->core);
	struct uslab_geometry *geo = &pool->core.geo;
	u64 start = geo->control_size + geo->shared_size +
		    ((u64)home->index << uslab_span_shift(geo)) +
		    ((u64)first_page << PAGE_SHIFT);

	unmap_mapping_range(pool->mapping, start, (u64)nr_pages << PAGE_SHIFT, 1);
}
