# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What both halves of the demo need: driving invindex, one line in and one line
# out, and checking claims. Sourced by demo and guest with $build set.

work=$(mktemp -d)
failed=0
declare -A pid to from

clean_up()
{
	local name

	for name in "${!pid[@]}"; do
		kill -CONT "${pid[$name]}" 2>/dev/null || :
		kill "${pid[$name]}" 2>/dev/null || :
	done
	rm -rf "$work"
}
trap clean_up EXIT

die()
{
	echo "demo: $*" >&2
	exit 1
}

say()
{
	printf '\n%s\n' "$*"
}

# start NAME ARGUMENT…: an invindex to which ask() can talk as NAME
start()
{
	local name=$1 fd
	shift

	[[ -x $build/invindex ]] || die "$build/invindex is not there; run make first"
	mkfifo "$work/$name.to" "$work/$name.from"
	"$build/invindex" "$@" <"$work/$name.to" >"$work/$name.from" &
	pid[$name]=$!
	exec {fd}>"$work/$name.to"
	to[$name]=$fd
	exec {fd}<"$work/$name.from"
	from[$name]=$fd
}

# ask NAME COMMAND: sets $reply
ask()
{
	local name=$1
	shift

	printf '%s\n' "$*" >&"${to[$name]}"
	IFS= read -r reply <&"${from[$name]}" || die "invindex ($name) has gone at '$*'"
	[[ $reply == ok* ]] || die "invindex ($name) says to '$*': $reply"
}

# value NAME COMMAND KEY: sets $value to the KEY in the answer
value()
{
	ask "$1" "$2"
	[[ $reply =~ (^| )$3=([^ ]*) ]] || die "invindex ($1) says nothing of '$3': $reply"
	value=${BASH_REMATCH[2]}
}

# finish NAME: ends it and waits
finish()
{
	ask "$1" quit
	wait "${pid[$1]}" || die "invindex ($1) failed"
	unset "pid[$1]"
}

# mib BYTES: with one decimal
mib()
{
	awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

# claim TEXT EXPRESSION: an arithmetic expression that has to be true
claim()
{
	if (($2)); then
		echo "  holds: $1"
	else
		echo "  FAILS: $1" >&2
		failed=1
	fi
}

# same TEXT A B
same()
{
	if [[ $2 == "$3" ]]; then
		echo "  holds: $1 ($2)"
	else
		echo "  FAILS: $1 ($2, $3)" >&2
		failed=1
	fi
}

# make_queries FILE: the words of some headers, alone and in pairs
make_queries()
{
	cat /usr/include/std*.h | tr -cs 'a-zA-Z_' '\n' | sort -u |
		awk 'length > 2 { print; if (NR % 2) last = $0; else print last, $0 }' >"$1"
}
