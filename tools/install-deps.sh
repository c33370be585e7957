#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing: to build, to test, to run the demo. Says what it does.
set -eu

BUILD="build-essential meson ninja-build pkg-config clang-19 llvm-19 bpftool python3
	libglib2.0-dev libuv1-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjansson-dev
	libyaml-dev libmicrohttpd-dev libcmocka-dev"
CHECK="libclang-rt-19-dev clang-format-19 clang-tidy-19 git shellcheck python3-yaml python3-pytest python3-scapy
	bash fish zsh mandoc
	curl iproute2 iptables nftables iputils-ping strace tcpdump procps util-linux containernetworking-plugins containerd podman"

missing=""
for package in $BUILD $CHECK; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
# Of the package prometheus only this program: all of it would be a server that starts.
PROMTOOL=/usr/local/bin/promtool
command -v promtool >/dev/null || missing_promtool=yes
[ -n "$missing" ] || [ -n "${missing_promtool:-}" ] || exit 0

fail()
{
	echo "install-deps: $1" >&2
	[ -n "$missing" ] || exit 0 # promtool alone: its test is skipped
	echo "install-deps: still needed:$missing" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "not root, so packages cannot be installed"
command -v apt-get >/dev/null || fail "this is no Debian: install the packages above by other means"

export DEBIAN_FRONTEND=noninteractive
echo "install-deps: installing${missing:- nothing}${missing_promtool:+, $PROMTOOL}"
# No recommends: podman's would pull in a second network stack.
apt-get update </dev/null || fail "apt-get update failed: is there a network, are the mirrors right?"
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || apt-get install -y --no-install-recommends $missing </dev/null ||
	fail "apt-get install failed"

# Without it one test is skipped, and says so.
get_promtool()
(
	cd "$1" && apt-get download prometheus </dev/null && dpkg-deb -x prometheus_*.deb unpacked &&
		install -m 755 unpacked/usr/bin/promtool "$PROMTOOL"
)
if [ -n "${missing_promtool:-}" ]; then
	directory=$(mktemp -d)
	chmod 755 "$directory" # apt downloads as a user of its own
	get_promtool "$directory" || echo "install-deps: promtool is not to be had: its test will be skipped" >&2
	rm -rf "$directory"
fi
