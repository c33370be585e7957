#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs inside the machine, by busybox. Its exit status is the verdict.
# Programs by their path where busybox has an applet of the same name, which it prefers.
failed=0

fail()
{
	echo "FAILED: $1"
	failed=1
}

# The agent with one configuration after the other, a pod each time.
start_and_ping()
{
	name=$1
	shift
	cilium-agent --manifest-dir /tmp/manifests --devices eth0 \
		--ipv4-range 10.200.1.0/24 --ipv6-range fd00:200:1::/112 "$@" >/tmp/agent.log 2>&1 &
	agent=$!
	for _ in $(seq 100); do
		cilium status --brief >/dev/null 2>&1 && break
		sleep 0.1
	done
	if ! cilium status --brief; then
		fail "$name: the agent does not start"
		tail -n 20 /tmp/agent.log
	elif ! cilium run --name web -- ping -c 1 -W 2 192.0.2.1 >/tmp/ping.log 2>&1; then
		fail "$name: the pod does not reach the world"
		cat /tmp/ping.log
		tail -n 5 /tmp/agent.log
		cilium bpf metrics list
	else
		echo "agent: $name: good: $(cilium status | grep -i 'attach' | head -n 1)"
	fi
	kill $agent
	wait $agent
	cilium cleanup --force >/dev/null 2>&1 || fail "$name: cleanup"
}

mkdir -p /tmp/manifests
/usr/sbin/ip link add eth0 type veth peer name world0
/usr/sbin/ip link add lxc0 type veth peer name pod0
/usr/sbin/ip link set eth0 up
/usr/sbin/ip link set lxc0 up
kernel_load || fail "loading the programs"
kernel_attach eth0 lxc0 || fail "attaching the programs"

unshare -n sleep 1000 &
world=$!
sleep 0.2
in_world()
{
	nsenter -t $world -n "$@"
}
/usr/sbin/ip link set world0 netns $world
in_world /usr/sbin/ip addr add 192.0.2.1/24 dev world0
in_world /usr/sbin/ip -6 addr add 2001:db8:1::1/64 dev world0 nodad
in_world /usr/sbin/ip link set world0 up
/usr/sbin/ip addr add 192.0.2.11/24 dev eth0
/usr/sbin/ip -6 addr add 2001:db8:1::11/64 dev eth0 nodad
/usr/sbin/ip route add default via 192.0.2.1
/usr/sbin/ip -6 route add default via 2001:db8:1::1

ping -c 1 -W 2 192.0.2.1 >/dev/null || fail "the machine does not reach the world"

start_and_ping masquerade
start_and_ping legacy-routing --enable-host-legacy-routing
start_and_ping endpoint-routes --enable-endpoint-routes
start_and_ping ipv4 --enable-ipv6=false
exit $failed
