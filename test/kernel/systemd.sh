#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shipped unit under the machine's systemd, as a oneshot service of it. The last line is the verdict.
failed=0
export LC_ALL=C.UTF-8

fail()
{
	echo "FAILED: $1"
	failed=1
}

property()
{
	systemctl show -P "$1" cilium-agent
}

# For as long as an emulated machine may take.
wait_for()
{
	what=$1
	shift
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	fail "$what: not within two minutes"
	systemctl status cilium-agent
}

is_other_process()
{
	[ "$(property MainPID)" != 0 ] && [ "$(property MainPID)" != "$pid" ] &&
		systemctl is-active cilium-agent && cilium status --brief
}

# Packets of a pod while something happens to the agent: their number in /tmp/ping.log.
begin_traffic()
{
	cilium run --name "$1" -- ping -n -i 0.2 -w "$2" 192.0.2.1 >/tmp/ping.log 2>&1 &
	traffic=$!
	wait_for "traffic of $1" grep -q 'bytes from' /tmp/ping.log
}

end_traffic()
{
	kill -INT "$(pgrep -x ping)"
	wait $traffic
	grep -q ' 0% packet loss' /tmp/ping.log || fail "$1: packets were lost: $(tail -n 2 /tmp/ping.log)"
	echo "$1: $(grep 'packet loss' /tmp/ping.log)"
}

ip link add eth0 type veth peer name world0
unshare -n sleep 3600 &
world=$!
sleep 1
ip link set world0 netns $world
nsenter -t $world -n sh -c 'ip addr add 192.0.2.1/24 dev world0; ip link set world0 up'
ip addr add 192.0.2.11/24 dev eth0
ip link set eth0 up
ip route add default via 192.0.2.1

systemctl start cilium-agent || fail "start: $(systemctl status cilium-agent)"
cilium status --brief || fail "the agent is not well once it is started"
echo "status text: $(property StatusText); watchdog: $(property WatchdogUSec)"
[ -n "$(property StatusText)" ] || fail "no STATUS= arrived"
cilium status | grep -i lack && fail "the unit's capabilities do not suffice"

begin_traffic restart 600
pid=$(property MainPID)
echo true >/etc/cilium/config/debug
systemctl reload cilium-agent || fail "reload"
wait_for "reload" sh -c 'cilium config get debug | grep -q true'
[ "$(property MainPID)" = "$pid" ] || fail "reload: it is another process"
systemctl restart cilium-agent || fail "restart"
wait_for "restart" is_other_process
pid=$(property MainPID)
kill -KILL "$pid"
wait_for "start after a kill" is_other_process
end_traffic "reload, restart, kill"

begin_traffic watchdog 600
pid=$(property MainPID)
kill -STOP "$pid"
wait_for "the watchdog" is_other_process
end_traffic "watchdog"
# Of the kill and the watchdog.
[ "$(property NRestarts)" -ge 2 ] || fail "restarts: $(property NRestarts)"

begin_traffic stopped 60
systemctl stop cilium-agent || fail "stop"
sleep 5
end_traffic "stopped"
[ "$(property Result)" = success ] || fail "stop: $(property Result)"
echo "systemd: exit $failed"
