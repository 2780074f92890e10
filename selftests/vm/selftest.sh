#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# selftest.sh - show that the harness reports what happens in a guest
#
# usage: [TESTS="status words..."] selftest.sh [KERNEL...]	(default: all, on 6.1)
#
# Uses a module of its own (splat/) under the real one's name, so it does not depend on
# the real one. TAP on standard output; what the guests say goes to $log.
#
# shellcheck disable=SC2016 # what is quoted is for the guest's shell

set -eu
. "$(dirname "$0")/lib.sh"

export USLAB_SRC=$vm_dir/splat
tests=0 failures=0
scratch=$(mktemp -d)
on_exit "rm -rf '$scratch'"
log=$repo/build/vm/selftest.log
mkdir -p "${log%/*}"
: >"$log"

ok()
{
	tests=$((tests + 1))
	echo "ok $tests - $kernel: $*"
}

not_ok()
{
	tests=$((tests + 1))
	failures=$((failures + 1))
	echo "not ok $tests - $kernel: $*"
	sed 's/^/# /' "$scratch/errors" | tail -n 20
}

# guest [OPTION]... -- COMMAND...: sets status; the output is in $scratch/said
guest()
{
	status=0
	"$vm_dir/run" --kernel "$kernel" "$@" >"$scratch/said" 2>"$scratch/errors" || status=$?
	{
		echo "== $kernel: $*: $status"
		cat "$scratch/said" "$scratch/errors"
	} >>"$log"
}

# expect STATUS TEXT
expect()
{
	if [ "$status" -eq "$1" ]; then
		ok "$2"
	else
		not_ok "$2 (status $status, not $1)"
	fi
}

# said TEXT EXPECTED: the guest said just that
said()
{
	if [ "$(cat "$scratch/said")" = "$2" ]; then
		ok "$1"
	else
		not_ok "$1"
		diff <(echo "$2") "$scratch/said" | sed 's/^/# /'
	fi
}

test_status()
{
	guest --no-module -- true
	expect 0 "status 0 is passed on"
	guest --no-module -- sh -c 'exit 3'
	expect 3 "status 3 is passed on"
	guest --no-module -- sh -c 'kill -9 $$'
	expect 137 "death by a signal is passed on"
	guest --no-module -- /nonexistent
	expect 127 "a command that does not exist"
	guest --no-module -- "$vm_dir/README.md"
	expect 126 "a command that cannot run"
}

test_words()
{
	local odd=$'a\nb' wanted

	wanted=$(printf '<%s>\n' "it's" 'two  words' '"$HOME" \ *' "$odd" '' '-n')
	guest --no-module -- printf '<%s>\n' "it's" 'two  words' '"$HOME" \ *' "$odd" '' '-n'
	said "the command's words arrive exactly" "$wanted"
	USLAB_TEST="it's $odd" guest --no-module --env "B=x=\"y\" z" -- \
		sh -c 'echo "$USLAB_TEST|$B|$USLAB_KERNEL"'
	said "the environment arrives exactly" "it's $odd|x=\"y\" z|$kernel"
}

test_files()
{
	local out=$scratch/out

	echo before >"$repo/build/vm/selftest.file"
	cd "$vm_dir"
	guest --no-module --out "$out" -- sh -c "pwd; cat '$repo/build/vm/selftest.file'
		echo after >'$repo/build/vm/selftest.file'; cat '$repo/build/vm/selftest.file'
		echo result >'$out/result'"
	said "the host's files are seen, where they are" "$vm_dir"$'\nbefore\nafter'
	if [ "$(cat "$repo/build/vm/selftest.file")" = before ]; then
		ok "what the guest writes stays in the guest"
	else
		not_ok "what the guest writes stays in the guest"
	fi
	if [ "$(cat "$out/result")" = result ]; then
		ok "what it writes to --out does not"
	else
		not_ok "what it writes to --out does not"
	fi
	rm -f "$repo/build/vm/selftest.file"
}

test_machine()
{
	guest --no-module --cpus 6 --nodes 3 --mem 900M -- sh -c 'nproc
		ls -d /sys/devices/system/node/node[0-9] | wc -l
		cat /sys/devices/system/node/node2/cpulist
		tr " " "\n" </sys/fs/cgroup/cgroup.subtree_control | sort | tr "\n" " "
		for dir in /tmp /dev/shm /run; do touch $dir/x || echo $dir; done
		ls /sys/kernel/debug/tracing/trace /sys/kernel/tracing/trace /dev/pts/ptmx
		cat /sys/class/net/lo/flags; id -u; ulimit -c'
	said "CPUs, nodes, controllers, file systems" "6
3
4-5
cpu cpuset memory pids /dev/pts/ptmx
/sys/kernel/debug/tracing/trace
/sys/kernel/tracing/trace
0x9
0
0"
	guest --no-module --cpus 1 --nodes 1 -- nproc
	said "one CPU, one node" 1
}

test_module()
{
	USLAB_MODULE_ARGS="answer=42" guest -- sh -c 'cat /sys/module/uslab/parameters/answer
		test -c /dev/uslab && test -e $USLAB_MODULE_DIR/uslab.ko && rmmod uslab &&
		insmod $USLAB_MODULE_DIR/uslab.ko && cat /sys/module/uslab/parameters/answer'
	said "the module is loaded, with its parameters, and is at hand" "42"$'\n'0
	expect 0 "the module goes away at the end"
	guest --no-module -- test ! -e /dev/uslab
	expect 0 "--no-module loads none"
	USLAB_MODULE_ARGS="answer=x" guest -- true
	expect 125 "a module that does not load"
	guest -- sh -c 'sleep 1000 </dev/uslab & exec true'
	expect 0 "what a command leaves behind does not keep the guest"
}

test_splats()
{
	local deed

	guest --keep-going -- sh -c 'echo warn >/dev/uslab; echo still here'
	expect 99 "a WARNING fails a command that succeeds"
	said "which --keep-going lets end" "still here"
	for deed in warn bug oops panic; do
		guest -- sh -c "echo $deed >/dev/uslab; sleep 1000"
		expect 99 "noticed: $deed"
	done
	guest -- sh -c 'echo pin >/dev/uslab'
	expect 99 "noticed: a module that cannot be unloaded"
	guest --no-module -- sh -c 'exec 2>/dev/null; cd /sys/fs/cgroup && mkdir small &&
		echo 16M >small/memory.max && echo 0 >small/cgroup.procs &&
		head -c 64M /dev/zero | tail >/dev/null
		grep "^oom_kill " small/memory.events'
	expect 0 "an out-of-memory kill is no splat"
	said "which there was" "oom_kill 1"
}

# What only the debug kernel sees
test_debug()
{
	local deed

	[ "$kernel" = debug ] || return 0
	for deed in atomic-sleep lock-order overrun; do
		guest -- sh -c "echo $deed >/dev/uslab"
		expect 99 "noticed: $deed"
	done
	guest --leaks -- sh -c 'echo leak >/dev/uslab'
	expect 99 "noticed: leak"
	guest --leaks -- true
	expect 0 "no leak, no complaint"
}

test_hang()
{
	guest --no-module --timeout 20 -- sh -c 'echo begun; sleep 1000'
	expect 124 "a hang ends in time"
	said "and what was said before is not lost" "begun"
	guest --timeout 20 -- sh -c 'echo hang >/dev/uslab'
	expect 124 "as does one in the kernel"
}

test_chroot()
{
	[ -d "$cache/chroot/trixie" ] || return 0
	guest --chroot -- sh -c 'pwd; test -c /dev/uslab && getconf GNU_LIBC_VERSION'
	said "the chroot has its own C library" "$PWD"$'\n'"glibc 2.41"
}

[ $# -gt 0 ] || set -- 6.1
for kernel; do
	for name in ${TESTS:-status words files machine module splats debug hang chroot}; do
		"test_$name"
	done
done
echo "1..$tests"
[ "$failures" -eq 0 ]
