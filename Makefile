# SPDX-License-Identifier: GPL-2.0-only
#
# uslab: the top Makefile. `make help` lists what it does. The module is built
# by the kernel's own build system from Kbuild; everything else is built here.

VERSION := 0.1.0
SONAME := libuslab.so.0

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
B ?= build

CC ?= gcc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Werror=vla
CPPFLAGS += -I. -Ilib/include -Iuapi -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS)
INSTALL ?= install

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

.PHONY: all
all: lib tools $(if $(wildcard $(KDIR)/Makefile),module,no-headers)

.PHONY: no-headers
no-headers:
	@echo "  no kernel headers in $(KDIR): the module is not built (see 'make help')"

# --- library

engine-src := $(wildcard kmod/engine/*.c)
lib-src := $(wildcard lib/src/*.c) $(engine-src)
lib-obj := $(lib-src:%.c=$(B)/%.o)
headers := $(wildcard lib/include/*.h lib/include/*/*.h lib/src/*.h uapi/linux/*.h kmod/engine/*.h)

.PHONY: lib
lib: $(B)/libuslab.a $(B)/$(SONAME)

# -fPIC for both: one set of objects. Sections leave their address in the
# thread's rseq area, so the library must not be unmapped: -z nodelete.
$(lib-obj): $(B)/%.o: %.c $(headers)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -c $< -o $@

$(B)/libuslab.a: $(lib-obj)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/$(SONAME): $(lib-obj) lib/src/uslab.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,-z,nodelete -Wl,-z,defs \
		-Wl,--version-script=lib/src/uslab.map $(lib-obj) -o $@ -lnuma -lpthread
	$(Q)ln -sf $(SONAME) $(B)/libuslab.so

# --- tools: each links the static library, so that it runs from the build tree

include tools/Makefile.inc

.PHONY: tools
tools: $(tools-programs:%=$(B)/%)

.SECONDEXPANSION:
$(tools-programs:%=$(B)/%): $(B)/%: $$($$*-sources) $(tools-headers) $(headers) $(B)/libuslab.a
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $($*-sources) -o $@ \
		$(patsubst -luslab,$(B)/libuslab.a -lnuma -lpthread,$($*-libs))

# --- module: built in a copy of its sources, so that the tree stays clean

.PHONY: module
module:
	$(Q)mkdir -p $(B)/kmod
	$(Q)cp -ru Kbuild kmod uapi $(B)/kmod/
	$(Q)$(MAKE) -C $(KDIR) M=$(abspath $(B)/kmod) modules

# --- tests

include selftests/Makefile.inc

# --- install

.PHONY: install
install: lib tools
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/uslab \
		$(DESTDIR)$(PREFIX)/include/linux $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(B)/libuslab.a $(DESTDIR)$(LIBDIR)/
	$(INSTALL) -m 755 $(B)/$(SONAME) $(DESTDIR)$(LIBDIR)/libuslab.so.$(VERSION)
	ln -sf libuslab.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libuslab.so
	$(INSTALL) -m 644 lib/include/uslab.h $(DESTDIR)$(PREFIX)/include/
	$(INSTALL) -m 644 lib/include/uslab/*.h $(DESTDIR)$(PREFIX)/include/uslab/
	$(INSTALL) -m 644 uapi/linux/uslab.h $(DESTDIR)$(PREFIX)/include/linux/
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
		lib/uslab.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/uslab.pc
	$(INSTALL) -m 755 $(tools-installed:%=$(B)/%) $(DESTDIR)$(PREFIX)/bin/
	$(INSTALL) -m 644 $(tools-manuals) $(DESTDIR)$(MANDIR)/man1/
	for n in 3 4 7; do \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$n && \
		$(INSTALL) -m 644 Documentation/man$$n/*.$$n $(DESTDIR)$(MANDIR)/man$$n/ || exit; \
	done
	$(if $(wildcard $(B)/kmod/uslab.ko),$(INSTALL) -d $(DESTDIR)/lib/modules/$(KVER)/extra)
	$(if $(wildcard $(B)/kmod/uslab.ko),$(INSTALL) -m 644 $(B)/kmod/uslab.ko $(DESTDIR)/lib/modules/$(KVER)/extra/)
	$(if $(DESTDIR),,-ldconfig)
	$(if $(DESTDIR),,$(if $(wildcard $(B)/kmod/uslab.ko),-depmod $(KVER)))

# --- upkeep

packages = $(shell sed 's/\#.*//' lib/packages tools/packages selftests/packages selftests/vm/packages)

# Asks the package manager only for what is missing, and for root only then.
.PHONY: deps
deps:
	$(Q)missing=$$(for p in $(packages); do dpkg-query -Wf '$${Status}' $$p 2>/dev/null | \
		grep -q 'ok installed' || echo $$p; done); \
	[ -z "$$missing" ] && exit 0; \
	echo "  DEPS    $$(echo $$missing)"; \
	[ "$$(id -u)" = 0 ] || sudo=sudo; \
	for try in 1 2 3; do \
		$$sudo apt-get update -qq --error-on=any && break; sleep 20; done; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

.PHONY: demo
demo: deps
	$(MAKE) lib tools
	tools/demo/demo

.PHONY: clean
clean:
	rm -rf $(B)

.PHONY: help
help:
	@sed -n 's/^#? //p' $(firstword $(MAKEFILE_LIST))

#? make                  the library, the tools, and the module where kernel headers are
#? make demo             install what is needed, build, and show what uslab does
#? make check            all tests, natively and in guests of every supported kernel
#? make check-native     the tests that need no guest
#? make check-vm         the tests in guests; KERNELS="6.1 6.12 ..." picks some
#? make bench            get/put against other allocators
#? make bench-reclaim    what reclaim costs those who get and put
#? make install          library, headers, tools, manual pages (PREFIX, DESTDIR) and module
#? make module           the module alone; KVER=... or KDIR=... picks the kernel
#? make deps             install the Debian packages that all of this needs (as root)
#? make lint format      checkpatch, sparse, cppcheck, shellcheck; clang-format
#? make clean            remove build/
