#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs inside the machine. Its exit status is the verdict.
failed=0

fail()
{
	echo "FAILED: $1"
	failed=1
}

kernel_load || fail "loading the programs"

for test in datapath_real_cgroup_test datapath_socket_test datapath_socket_killer_test; do
	$test || fail "$test"
done
# In the first namespace, which is the host's also where the kernel tells no cookies.
AXONEME_TEST_MACHINE=1 datapath_socket_test || fail "datapath_socket_test as the host"

ip link add eth0 type veth peer name world0
ip link add lxc0 type veth peer name pod0
ip link set eth0 up
ip link set lxc0 up
kernel_attach eth0 lxc0 || fail "attaching the programs"
ip link del eth0
ip link del lxc0

cd /axoneme || exit 1
# The machine is emulated: everything takes ten times as long as it should.
# shellcheck disable=SC2046 # a list of files
AXONEME_BUILD=/axoneme/build AXONEME_TEST_PATIENCE=4 PYTHONDONTWRITEBYTECODE=1 \
	python3 -m pytest -q -m "core or kernel" --tb=short --color=no --durations=10 $(cat /tests) || fail "network tests"
exit $failed
