# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # what is set here is used elsewhere
#
# What the scripts of this directory share: where things lie, how they complain, how
# they take a lock, and how a Debian package reaches the cache without touching the
# host's own apt or dpkg.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$vm_dir/../.." && pwd -P)
src_root=$(cd "${USLAB_SRC:-$repo}" && pwd -P)
cache=$(realpath -m "${USLAB_CACHE:-$HOME/.cache/uslab}")
mirror=${USLAB_MIRROR:-http://deb.debian.org}
kernels="6.1 6.12 7.2 6.1-rt 6.12-rt debug"
prog=${0##*/}

# Every failure of the harness itself, as opposed to the command it runs.
EX_HARNESS=125

die()
{
	echo "$prog: $*" >&2
	exit "$EX_HARNESS"
}

say()
{
	echo "$prog: $*" >&2
}

# need COMMAND PACKAGE...: pairs of what is called and the Debian package that has it
need()
{
	local missing=""

	while [ $# -gt 1 ]; do
		command -v "$1" >/dev/null || missing="$missing $2"
		shift 2
	done
	[ -z "$missing" ] || die "missing, please install:$missing"
}

# kernel_dir NAME: where the files of that kernel lie, or will
kernel_dir()
{
	case " $kernels " in
	*" $1 "*) echo "$cache/kernel/$1" ;;
	*) die "unknown kernel '$1' (one of: $kernels)" ;;
	esac
}

# lock FILE: hold FILE until the script ends; others wait
lock()
{
	mkdir -p "$(dirname "$1")"
	exec {lock_fd}>"$1"
	flock -n "$lock_fd" || { say "waiting for $1"; flock "$lock_fd"; }
}

unlock()
{
	exec {lock_fd}>&-
}

# quote WORD...: the words such that any POSIX shell reads them back exactly
quote()
{
	local word

	for word; do
		printf "'%s' " "${word//\'/\'\\\'\'}"
	done
}

# on_exit COMMAND: have it run when the script ends, the last one first
on_exit()
{
	exit_commands="$*; ${exit_commands:-}"
	# shellcheck disable=SC2064 # what is wanted is what is there now
	trap "$exit_commands" EXIT
}

# apt_setup CODENAME: a private apt, until the script ends, for that release, its
# security updates and backports; of the host's apt only the archive's keys are used
apt_setup()
{
	local suite

	mkdir -p "$cache"
	apt_dir=$(mktemp -d "$cache/apt.XXXXXX")
	on_exit "rm -rf '$apt_dir'"
	mkdir -p "$apt_dir"/{lists/partial,archives/partial,apt.conf.d}
	: >"$apt_dir/status"
	for suite in "$1" "$1-updates" "$1-backports"; do
		echo "deb $mirror/debian $suite main"
	done >"$apt_dir/sources.list"
	echo "deb $mirror/debian-security $1-security main" >>"$apt_dir/sources.list"
	cat >"$apt_dir/apt.conf" <<-EOF
	APT::Architecture "amd64";
	APT::Architectures { "amd64"; };
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Dir::State "$apt_dir";
	Dir::State::status "$apt_dir/status";
	Dir::State::lists "$apt_dir/lists";
	Dir::Cache "$apt_dir";
	Dir::Etc "$apt_dir";
	Dir::Etc::sourcelist "$apt_dir/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
	EOF
	say "reading the package lists of $1"
	patiently with_apt apt-get -q=2 --error-on=any update >&2 ||
		die "cannot read the package lists of $1"
}

# patiently COMMAND...: three tries, as networks come and go
patiently()
{
	"$@" || { sleep 20 && "$@"; } || { sleep 60 && "$@"; }
}

with_apt()
{
	APT_CONFIG=$apt_dir/apt.conf "$@"
}

# newest REGEX: the newest package whose whole name matches
newest()
{
	local name

	name=$(with_apt apt-cache search --names-only "^$1\$" |
		awk '{ print $1 }' | sort -V | tail -n 1)
	[ -n "$name" ] || die "the archive has no package $1"
	echo "$name"
}

# unpack DIR PACKAGE...: the packages' files below DIR, nothing installed
unpack()
{
	local dir=$1 deb

	shift
	mkdir -p "$dir" "$apt_dir/debs"
	say "downloading $*"
	(cd "$apt_dir/debs" && patiently with_apt apt-get -q=2 download "$@" >&2) ||
		die "cannot download $*"
	for deb in "$apt_dir/debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
		rm "$deb"
	done
}
