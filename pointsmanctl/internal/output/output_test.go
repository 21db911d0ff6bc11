package output

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(-d)) }

var (
	receipt = &apiv1.Receipt{
		Allocation: "web1", Project: "default", Generation: 1, Machine: "machine01", Degraded: true, MissingSwitches: []string{"spine02"},
		Phases: []*apiv1.PhaseStamp{
			{Phase: apiv1.Phase_PHASE_ALLOCATED, Time: before(time.Minute)},
			{Phase: apiv1.Phase_PHASE_CONFIGURED, Time: before(time.Minute - 12340*time.Microsecond), ElapsedMs: 12.34, Agents: []*apiv1.AgentTime{
				{Switch: "leaf01", Time: before(time.Minute - 11*time.Millisecond)},
				{Switch: "leaf02", Time: before(time.Minute - 12*time.Millisecond)},
			}},
			{Phase: apiv1.Phase_PHASE_CONNECTED, Time: before(time.Minute - 87650*time.Microsecond), ElapsedMs: 87.65, Agents: []*apiv1.AgentTime{
				{Switch: "leaf02", Time: before(time.Minute - 80*time.Millisecond)},
				{Switch: "leaf01", Time: before(time.Minute - 86*time.Millisecond)},
			}},
		},
		WaitingFor: []string{"leaf03 does not hold 10.64.0.5/32 from leaf01 yet"},
	}
	allocation = &apiv1.Allocation{
		Id: "web1", Project: "default", Machine: "machine01", Rack: "rack1", Asn: 4201000000, Generation: 1, Hostname: "web1",
		Attachments: []*apiv1.Attachment{{Network: "blue", Addresses: []string{"10.64.0.5", "fd64::5"}, ServiceAddresses: []string{"10.64.0.80"}}},
		Ports:       []*apiv1.AllocationPort{{Switch: "leaf01", Port: "swp1"}, {Switch: "leaf02", Port: "swp1"}},
		CreateTime:  before(time.Minute), Receipt: receipt,
	}
	releasing = &apiv1.Machine{
		Id: "machine02", Rack: "rack1", State: apiv1.MachineState_MACHINE_STATE_RELEASING, CreateTime: before(72 * time.Hour),
		PendingRelease: []*apiv1.PendingRelease{{Switch: "leaf02", Port: "swp2", Generation: 7}},
	}
	machines = &apiv1.ListMachinesResponse{Machines: []*apiv1.Machine{
		{
			Id: "machine01", Rack: "rack1", State: apiv1.MachineState_MACHINE_STATE_ALLOCATED, Project: "default", Allocation: "web1",
			SystemUuid: "4c4c4544-0042", ChassisMac: "02:00:5e:10:00:01", PortMacs: []string{"02:00:5e:10:01:01"}, CreateTime: before(3 * time.Hour),
			Connections: []*apiv1.MachineConnection{{Switch: "leaf01", Port: "swp1"}, {Switch: "leaf02", Port: "swp1"}},
		},
		releasing,
		{
			Id: "machine03", State: apiv1.MachineState_MACHINE_STATE_FAULTY,
			Faults: []string{"heard on leaf01:swp3 only", "leaf02 is not alive"},
		},
	}}
	leaf = &apiv1.Switch{
		Id: "leaf01", Role: apiv1.SwitchRole_SWITCH_ROLE_LEAF, Rack: "rack1", Loopback: "10.255.0.11", Asn: 4200000001, Mtu: 9216, Alive: true,
		Ports: []*apiv1.SwitchPort{
			{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_MACHINE}, {Name: "swp51", Role: apiv1.PortRole_PORT_ROLE_UPLINK},
		},
		Provisioning: &apiv1.Provisioning{Vlan: 4000, Addresses: []string{"10.250.1.1/24"}},
		Status: &apiv1.SwitchStatus{State: apiv1.AgentState_AGENT_STATE_FOLLOWING, AgentVersion: "v0.1", FrrVersion: "8.4.4", NetworkOs: "linux", LastError: "port swp9: no such device",
			Capabilities: &apiv1.Capabilities{MaxVrfs: 255, FirstVlan: 2, LastVlan: 4094, FirstReservedVlan: 3000, LastReservedVlan: 3999, VrfName: "^Vrf[a-zA-Z0-9_-]{1,12}$", MaxDeviceName: 15, NeighbourSuppression: true}},
		PortViews: []*apiv1.SwitchPortView{
			{
				Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_MACHINE,
				Intent:    &apiv1.PortIntent{Mode: apiv1.PortMode_PORT_MODE_VRF, Vrf: "Vrf100000", Generation: 2, Allocation: "web1", PeerAsn: 4201000000},
				Status:    &apiv1.PortStatus{Mode: apiv1.PortMode_PORT_MODE_PROVISIONING, AppliedGeneration: 1, OperUp: true, Error: "add VRF: busy"},
				Session:   &apiv1.SessionStatus{State: "Active"},
				Discovery: &apiv1.Discovery{Neighbours: []*apiv1.LLDPNeighbour{{SystemName: "machine01"}, {ChassisId: "02:00:5e:10:00:09"}}},
			},
			{Name: "swp51", Role: apiv1.PortRole_PORT_ROLE_UPLINK, Faults: []string{"leaf01 swp51 is an uplink and hears machine09 lan0, which is no registered switch"}},
		},
		CreateTime: before(90 * time.Second),
	}
	networkList = &apiv1.ListNetworksResponse{Networks: []*apiv1.Network{
		{
			Id: "tenants", Project: "default", Kind: apiv1.NetworkKind_NETWORK_KIND_POOL, Prefixes: []string{"10.64.0.0/12", "fd64::/48"},
			DefaultIpv4Length: 22, DefaultIpv6Length: 64, Carved: []*apiv1.CarvedPrefix{{}, {}}, CreateTime: before(50 * time.Hour),
		},
		{
			Id: "blue", Project: "default", Kind: apiv1.NetworkKind_NETWORK_KIND_PRIVATE, Vni: 100000, Vrf: "Vrf100000", Pool: "tenants",
			Prefixes: []string{"10.64.0.0/22", "fd64::/64"}, Announceable: []*apiv1.Announceable{{Prefix: "10.244.0.0/16", MaxLength: 26}, {Prefix: "fd99::/48"}},
			CreateTime: before(time.Second),
		},
	}}
	ipList = &apiv1.ListIPsResponse{Ips: []*apiv1.IP{
		{Network: "blue", Address: "10.64.0.5", Project: "default", Kind: apiv1.IPKind_IP_KIND_EPHEMERAL, State: apiv1.IPState_IP_STATE_HELD, Allocation: "web1", CreateTime: before(time.Minute)},
		{Network: "blue", Address: "10.64.0.9", Project: "default", Kind: apiv1.IPKind_IP_KIND_STATIC, State: apiv1.IPState_IP_STATE_QUARANTINED},
	}}
)

// described is a machine that is half there: one leaf reverted, one spine that lacks a route, one that has not answered.
var described = Description{
	Machine: machines.Machines[0], Allocation: allocation,
	Ports: []Port{
		{Switch: "leaf01", Alive: true, View: leaf.PortViews[0]},
		{Switch: "leaf02", View: &apiv1.SwitchPortView{
			Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_MACHINE, Faults: []string{"leaf02 swp1 hears more than one neighbour: a, b"},
			Intent: &apiv1.PortIntent{Mode: apiv1.PortMode_PORT_MODE_VRF, Vrf: "Vrf100000", Generation: 4, Grants: []*apiv1.Grant{{Prefix: "10.64.0.5/32"}, {Prefix: "10.244.0.0/16", MaxLength: 26}}},
			Status: &apiv1.PortStatus{Mode: apiv1.PortMode_PORT_MODE_PROVISIONING, AppliedGeneration: 3, RevertedGeneration: 4},
		}},
	},
	Probes: []*apiv1.Probe{
		{
			Switch: "spine01", Alive: true,
			Intent: &apiv1.ProbeIntent{Generation: 1, Prefixes: []string{"10.64.0.5/32", "fd64::5/128"}, Origins: []*apiv1.ProbeOrigin{{Switch: "leaf01", Loopback: "10.255.0.11"}, {Switch: "leaf02", Loopback: "10.255.0.12"}}},
			Status: &apiv1.ProbeStatus{Generation: 1, VrfPresent: true, Results: []*apiv1.ProbeResult{{Prefix: "10.64.0.5/32", Origins: []string{"10.255.0.11"}}}},
		},
		{Switch: "spine02", Intent: &apiv1.ProbeIntent{Generation: 1}},
	},
	Changes: []*apiv1.ChangeRecord{
		{
			Id: "2", Time: before(time.Minute), Caller: "ada", Method: "/pointsman.v1.MachineService/OverrideMachineRelease", RequestId: "r2", Reason: "leaf02 is on my desk",
			Resources: []*apiv1.ResourceChange{{Resource: "machines/machine01", Type: apiv1.EventType_EVENT_TYPE_MODIFIED, Fields: []*apiv1.FieldChange{
				{Field: "description", Before: `"old"`, After: `"new"`}, {Field: "pendingRelease", Before: `[{"switch":"leaf02","port":"swp1","generation":"7"}]`},
			}}},
		},
		{
			Id: "1", Time: before(time.Hour), Caller: "local", Method: "/pointsman.v1.AllocationService/CreateAllocation", RequestId: "r1",
			Resources: []*apiv1.ResourceChange{
				{Resource: "allocations/default/web1", Type: apiv1.EventType_EVENT_TYPE_ADDED}, {Resource: "ips/blue/10.64.0.5", Type: apiv1.EventType_EVENT_TYPE_DELETED},
				{Resource: "switches/leaf01/ports/swp1", Type: apiv1.EventType_EVENT_TYPE_MODIFIED, BeforeGeneration: 1, AfterGeneration: 2},
				{Resource: "switches/leaf01/ports/swp2", Type: apiv1.EventType_EVENT_TYPE_ADDED, AfterGeneration: 1},
			},
		},
	},
	Older: true,
}

func TestTables(t *testing.T) {
	for name, print := range map[string]func(Printer) error{
		"networks": func(p Printer) error { return p.Networks(networkList) },
		"network":  func(p Printer) error { return p.Network(networkList.Networks[1]) },
		"ips":      func(p Printer) error { return p.IPs(ipList) },
		"machines": func(p Printer) error { return p.Machines(machines) },
		"machine":  func(p Printer) error { return p.Machine(releasing) },
		"switches": func(p Printer) error { return p.Switches(&apiv1.ListSwitchesResponse{Switches: []*apiv1.Switch{leaf}}) },
		"switch":   func(p Printer) error { return p.Switch(leaf) },
		"allocations": func(p Printer) error {
			return p.Allocations(&apiv1.ListAllocationsResponse{Allocations: []*apiv1.Allocation{allocation}})
		},
		"allocation": func(p Printer) error { return p.Allocation(allocation) },
		"receipt":    func(p Printer) error { return p.Receipt(receipt) },
		"describe":   func(p Printer) error { return p.Describe(described) },
		"changes":    func(p Printer) error { return p.Changes(&apiv1.ListChangesResponse{Changes: described.Changes}) },
		"empty":      func(p Printer) error { return p.Machines(&apiv1.ListMachinesResponse{}) },
	} {
		for _, format := range []Format{Table, Wide, YAML} {
			t.Run(name+"."+string(format), func(t *testing.T) {
				var out bytes.Buffer
				if err := print(Printer{Out: &out, Format: format, Now: noon}); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+string(format), out.String())
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestStructuredFormsReadBack: what programs read is the whole message, in JSON and in YAML.
func TestStructuredFormsReadBack(t *testing.T) {
	for _, m := range []proto.Message{allocation, machines, leaf, networkList, ipList, receipt, &apiv1.ListMachinesResponse{}} {
		var asJSON, asYAML bytes.Buffer
		if err := (Printer{Out: &asJSON, Format: JSON}).Message(m); err != nil {
			t.Fatal(err)
		}
		if err := (Printer{Out: &asYAML, Format: YAML}).Message(m); err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := yaml.Unmarshal(asYAML.Bytes(), &tree); err != nil {
			t.Fatalf("%v\n%s", err, asYAML.String())
		}
		fromYAML, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		for form, b := range map[string][]byte{"json": asJSON.Bytes(), "yaml": fromYAML} {
			got := m.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal(b, got); err != nil {
				t.Fatalf("%s: %v\n%s", form, err, b)
			}
			if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s form of %s (-printed +read):\n%s", form, m.ProtoReflect().Descriptor().Name(), diff)
			}
		}
	}
}

func TestYAMLQuotesWhatOldYAMLWouldMisread(t *testing.T) {
	var out bytes.Buffer
	m := &apiv1.Machine{Id: "no", ChassisMac: "02:00:50:10:00:09", SystemUuid: "12", Description: "yes: \"really\"\nsecond line"}
	if err := (Printer{Out: &out, Format: YAML}).Machine(m); err != nil {
		t.Fatal(err)
	}
	golden(t, "misread.yaml", out.String())
}

func TestWords(t *testing.T) {
	kinds := apiv1.NetworkKind(0).Descriptor()
	for _, w := range Words(kinds) {
		n, err := Number(kinds, w)
		if err != nil || Word(apiv1.NetworkKind(n)) != w {
			t.Errorf("%s is %d is %s, %v", w, n, Word(apiv1.NetworkKind(n)), err)
		}
	}
	for _, bad := range []string{"unspecified", "", "bogus"} {
		if n, err := Number(kinds, bad); err == nil {
			t.Errorf("%q is taken as %d", bad, n)
		}
	}
	if got := Word(apiv1.NetworkKind(99)); got != "99" {
		t.Errorf("a kind of a newer control plane prints as %s", got)
	}
}

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Hour, "119s": 119 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "2h": 2 * time.Hour, "47h": 47 * time.Hour, "2d": 48 * time.Hour,
	} {
		if got := age(noon, before(d)); got != want {
			t.Errorf("age of %s is %s, want %s", d, got, want)
		}
	}
}
