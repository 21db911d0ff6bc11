package agent

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/etcdtest"
	"github.com/pointsman/pointsman/agent/internal/local"
	"github.com/pointsman/pointsman/agent/internal/system/memory"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// TestAskARunningAgent: what an operator on the switch is told, from before the first intent to a port in a VRF, and after the end.
func TestAskARunningAgent(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd, state, sw, bgp := server.Client(t), t.TempDir(), memory.New(leaf, "swp1", "swp31"), &daemons{}
	stop := start(t, server.Endpoint, state, sw, bgp)
	client := local.NewClient(local.Socket(state))
	await(t, etcd, keys.AgentStatus(leaf), wire.SwitchStatusCodec, func(s netmodel.SwitchStatus) bool { return s.State == netmodel.AgentHolding })
	if s := told(t, client, func(s local.Status) bool { return s.Etcd.Connected != nil && *s.Etcd.Connected }); s.State != "holding" || !strings.Contains(s.Reason, "no configuration") {
		t.Errorf("before the first intent: %+v", s)
	}
	if _, err := client.Steps(t.Context()); err == nil || !strings.Contains(err.Error(), "no intent yet") {
		t.Errorf("steps before the first intent: %v", err)
	}

	put(t, etcd, keys.SwitchConfig(leaf), wire.SwitchConfigCodec, netmodel.SwitchConfig{
		StoreUUID: "store-1", Switch: leaf, Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 1,
		Provisioning: netmodel.Provisioning{VLAN: 100},
		Ports:        []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp31", Role: netmodel.PortUplink}, {Name: "swp32", Role: netmodel.PortUplink}},
	})
	put(t, etcd, keys.PortIntent(leaf, "swp1"), wire.PortIntentCodec, allocated(2))
	bgp.up("Vrf100001", "swp1")
	s := told(t, client, func(s local.Status) bool {
		return len(s.Ports) == 3 && s.Ports[0].AppliedGeneration == 2 && s.Ports[0].Session != nil && s.Ports[0].Session.Established
	})
	if p := s.Ports[0]; !s.Running || s.State != "following" || p.Mode != "vrf" || p.VRF != "Vrf100001" || p.VNI != 100001 || p.WantedGeneration != 2 || !s.Ports[2].Missing || s.LastPass == nil {
		t.Errorf("status %+v", s)
	}
	in, err := client.Intent(t.Context())
	if err != nil || !in.Running || in.FromDisk || !strings.Contains(string(in.Ports["swp1"]), "Vrf100001") {
		t.Errorf("intent %+v, %v", in, err)
	}
	if steps, err := client.Steps(t.Context()); err != nil || len(steps.Steps) != 0 {
		t.Errorf("a converged switch has steps to do: %+v, %v", steps, err)
	}
	if n, err := client.Neighbours(t.Context()); err != nil || n.Neighbours == nil {
		t.Errorf("neighbours %+v, %v", n, err)
	}
	stop()
	if _, err := client.Status(t.Context()); !errors.Is(err, local.ErrNotRunning) {
		t.Errorf("after the agent ended: %v", err)
	}
}

func told(t *testing.T, client *local.Client, ok func(local.Status) bool) local.Status {
	t.Helper()
	var s local.Status
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if s, err = client.Status(t.Context()); err == nil && ok(s) {
			return s
		}
	}
	t.Fatalf("not within 15 s; it is %+v, %v", s, err)
	return s
}

// TestMetricsOfARunningAgent: passes and steps are counted, and the switch is told as it is.
func TestMetricsOfARunningAgent(t *testing.T) {
	server := etcdtest.Start(t, etcdtest.FreeAddress(t), t.TempDir())
	etcd, sw, bgp := server.Client(t), memory.New(leaf, "swp1", "swp31"), &daemons{}
	address := etcdtest.FreeAddress(t)
	startWith(t, server.Endpoint, t.TempDir(), sw, bgp, func(c *Config) { c.Metrics = address })
	put(t, etcd, keys.SwitchConfig(leaf), wire.SwitchConfigCodec, netmodel.SwitchConfig{
		StoreUUID: "store-1", Switch: leaf, Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.0.0.11"), ASN: netmodel.FirstSwitchASN, Generation: 1,
		Provisioning: netmodel.Provisioning{VLAN: 100},
		Ports:        []netmodel.SwitchPort{{Name: "swp1", Role: netmodel.PortMachine}, {Name: "swp31", Role: netmodel.PortUplink}},
	})
	put(t, etcd, keys.PortIntent(leaf, "swp1"), wire.PortIntentCodec, allocated(2))
	bgp.up("Vrf100001", "swp1")
	await(t, etcd, keys.SessionStatus(leaf, "swp1"), wire.SessionStatusCodec, func(s netmodel.SessionStatus) bool { return s.Established })

	want := []string{
		`pointsman_agent_passes_total{outcome="changed"}`, `pointsman_agent_operations_total{kind="AddVRF",result="ok"}`,
		`pointsman_agent_operations_total{kind="ApplyFRR",result="ok"}`, `pointsman_agent_pass_duration_seconds_count`, `pointsman_agent_operation_duration_seconds_count{kind="SetMaster"}`,
		`pointsman_agent_etcd_connected 1`, `pointsman_agent_holding 0`, `pointsman_agent_sessions{state="Established"} 1`, `pointsman_agent_ports{mode="vrf"} 1`,
		`pointsman_agent_ports{mode="uplink"} 1`, `pointsman_agent_reverts_total 0`, `pointsman_agent_lldp_neighbours 0`, `frr="8.4.4"`, `pointsman_agent_configuration_generation 1`,
	}
	missing := slices.Clone(want)
	var text string
	for deadline := time.Now().Add(10 * time.Second); len(missing) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text = scrape(t, "http://"+address+"/metrics")
		missing = slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(text, line) })
	}
	if len(missing) > 0 {
		t.Errorf("no %q in\n%s", missing, text)
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
