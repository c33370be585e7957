#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing: to build, to test, to run the demo. Says what it does.
set -eu

BUILD="build-essential meson ninja-build pkg-config clang-19 llvm-19 bpftool python3
	libglib2.0-dev libuv1-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjansson-dev
	libyaml-dev libmicrohttpd-dev libcmocka-dev"
CHECK="libclang-rt-19-dev clang-format-19 clang-tidy-19 git shellcheck python3-yaml python3-pytest python3-scapy
	bash fish zsh mandoc
	iproute2 iputils-ping tcpdump procps util-linux containernetworking-plugins containerd podman"

missing=""
for package in $BUILD $CHECK; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

fail()
{
	echo "install-deps: $1" >&2
	echo "install-deps: still needed:$missing" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "not root, so packages cannot be installed"
command -v apt-get >/dev/null || fail "this is no Debian: install the packages above by other means"

export DEBIAN_FRONTEND=noninteractive
echo "install-deps: installing$missing"
# No recommends: podman's would pull in a second network stack.
apt-get update </dev/null || fail "apt-get update failed: is there a network, are the mirrors right?"
# shellcheck disable=SC2086 # a list of names
apt-get install -y --no-install-recommends $missing </dev/null || fail "apt-get install failed"
