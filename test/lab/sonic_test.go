package lab

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSONiC boots a fabric whose leaf runs SONiC, without an agent: its databases say what the kernel has, daemons that die come back, a reload
// has only what was saved, and a reboot has that too.
func TestSONiC(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f := up(t, ctx, Options{Topology: &Topology{Name: "sonic", Spines: 1, Racks: []Rack{{Leaves: 1, Machines: 1, OS: OSList{SONiC}}}}})
	redis := func(db int, args ...string) string {
		t.Helper()
		return strings.TrimSpace(run(t, ctx, f, "leaf01", append([]string{"redis-cli", "-s", "/var/run/redis/redis.sock", "-n", fmt.Sprint(db)}, args...)...))
	}
	const appl, config, stateDB = 0, 4, 6
	await := func(what string, holds func() bool) {
		t.Helper()
		soon(t, ctx, func() error {
			if !holds() {
				return fmt.Errorf("%s: not yet", what)
			}
			return nil
		})
	}
	ready := func() bool { return redis(appl, "EXISTS", "PORT_TABLE:PortInitDone") == "1" }
	await("PortInitDone", ready)
	for key, want := range map[string]string{
		"PORT|Ethernet0 alias": "etp1", "PORT|Ethernet192 lanes": "193,194,195,196",
		"DEVICE_METADATA|localhost hostname": "leaf01", "DEVICE_METADATA|localhost docker_routing_config_mode": "split-unified",
	} {
		if got := redis(config, append([]string{"HGET"}, strings.Fields(key)...)...); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	inVRF := func() bool {
		return redis(stateDB, "HGET", "INTERFACE_TABLE|Ethernet0", "vrf") == "VrfRed" &&
			strings.Contains(run(t, ctx, f, "leaf01", "ip", "link", "show", "Ethernet0"), "master VrfRed")
	}
	redis(config, "HSET", "VRF|VrfRed", "NULL", "NULL")
	redis(config, "HSET", "INTERFACE|Ethernet0", "vrf_name", "VrfRed")
	await("Ethernet0 in VrfRed", inVRF)
	must(t, f.Pull(ctx, "leaf01", "Ethernet0"))
	await("Ethernet0 without a state", func() bool { return redis(stateDB, "EXISTS", "PORT_TABLE|Ethernet0") == "0" })
	must(t, f.Plug(ctx, "leaf01", "Ethernet0"))
	await("Ethernet0 back in VrfRed", inVRF)

	redis(config, "HSET", "PORT|Ethernet0", "mtu", "9300")
	await("portmgrd dead", func() bool { return serviceOf(t, ctx, f, "leaf01", "swss").LastExit == 1 })
	if log := run(t, ctx, f, "leaf01", "cat", "/var/log/swss.log"); !strings.Contains(log, "portmgrd dies") {
		t.Errorf("the log does not say that portmgrd has died:\n%s", log)
	}
	redis(config, "HSET", "PORT|Ethernet0", "mtu", "9100")
	await("swss back, and Ethernet0 in VrfRed", func() bool { return ready() && inVRF() })

	run(t, ctx, f, "leaf01", "swstate", "reload")
	if redis(config, "EXISTS", "VRF|VrfRed") != "0" {
		t.Error("a row that nobody saved outlived a reload")
	}
	await("a kernel without VrfRed", func() bool { return !strings.Contains(run(t, ctx, f, "leaf01", "ip", "link"), "VrfRed") })
	await("PortInitDone after a reload", ready)
	await("FRR back", func() bool { return serviceOf(t, ctx, f, "leaf01", "bgpd").Starts == 2 })

	must(t, f.Reboot(ctx, "leaf01"))
	await("PortInitDone after a reboot", ready)
}

func serviceOf(t *testing.T, ctx context.Context, f *Fabric, node, name string) ServiceStatus {
	t.Helper()
	services, err := f.Services(ctx, node)
	must(t, err)
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s has no service %s", node, name)
	return ServiceStatus{}
}
