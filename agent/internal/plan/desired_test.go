package plan_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// A wrong intent is its own port's problem: that port is down and in nothing, everybody else is served.
func TestProblemsStayWithTheirPort(t *testing.T) {
	good := tenantPort("swp1", 104001, 1)
	wrong := func(change func(*netmodel.PortIntent)) netmodel.PortIntent {
		p := tenantPort("swp2", 104002, 2)
		change(&p)
		return p
	}
	for name, tt := range map[string]struct {
		intent netmodel.PortIntent
		want   string
	}{
		"name too long":          {wrong(func(p *netmodel.PortIntent) { p.VRF = "Vrf1234567890123" }), `VRF name "Vrf1234567890123" is not of the form`},
		"name of another's":      {wrong(func(p *netmodel.PortIntent) { p.VRF = "mgmt" }), `VRF name "mgmt"`},
		"name breaks the line":   {wrong(func(p *netmodel.PortIntent) { p.VRF = "Vrf1\nexit" }), "VRF name"},
		"VNI of another VRF":     {wrong(func(p *netmodel.PortIntent) { p.VNI = 104001 }), `VNI 104001 of VRF "Vrf104002" is that of VRF "Vrf104001"`},
		"VRF with another VNI":   {wrong(func(p *netmodel.PortIntent) { p.VRF = "Vrf104001" }), `VRF "Vrf104001" has VNI 104001, not 104002`},
		"VNI 0":                  {wrong(func(p *netmodel.PortIntent) { p.VNI = 0 }), "VNI 0"},
		"VNI of 25 bits":         {wrong(func(p *netmodel.PortIntent) { p.VNI = 1 << 24 }), "VNI 16777216"},
		"no ASN":                 {wrong(func(p *netmodel.PortIntent) { p.PeerASN = 0 }), "ASN is 0"},
		"unknown mode":           {wrong(func(p *netmodel.PortIntent) { p.Mode = "turbo" }), `unknown mode "turbo"`},
		"grant that is none":     {wrong(func(p *netmodel.PortIntent) { p.Grants = []netmodel.Grant{{}} }), "is no prefix"},
		"grant longer than long": {wrong(func(p *netmodel.PortIntent) { p.Grants[0].MaxLength = 33 }), "is no prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			want, assigned, problems, err := plan.Desired(with(leafIntent(), good, tt.intent), leafFacts())
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) != 1 || problems[0].Port != "swp2" || !strings.Contains(problems[0].Error(), tt.want) {
				t.Errorf("problems %v, want one of swp2: %s", problems, tt.want)
			}
			if diff := cmp.Diff(plan.Port{MTU: 9216}, want.Kernel.Ports["swp2"]); diff != "" {
				t.Errorf("swp2 is not down and in nothing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(plan.Port{Up: true, MTU: 9216, Master: "Vrf104001"}, want.Kernel.Ports["swp1"]); diff != "" {
				t.Errorf("swp1 (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(plan.Assignments{Tables: map[string]uint32{"provision": 1000, "Vrf104001": 1001}, VLANs: map[netmodel.VNI]uint16{104001: 1000}, VNIs: map[string]netmodel.VNI{"Vrf104001": 104001}}, assigned); diff != "" {
				t.Errorf("assigned (-want +got):\n%s", diff)
			}
			if text := want.FRR.String(); strings.Contains(text, "neighbor swp2") || !strings.Contains(text, "neighbor swp1 interface peer-group MACHINE") {
				t.Errorf("FRR's neighbours are wrong:\n%s", text)
			}
		})
	}
}

func TestProblemsOfPortsThatAreNot(t *testing.T) {
	intent := with(leafIntent(), netmodel.PortIntent{Port: "swp49", Mode: netmodel.ModeProvisioning}, netmodel.PortIntent{Port: "swp77", Mode: netmodel.ModeProvisioning})
	delete(intent.Ports, "swp3")
	facts := leafFacts()
	delete(facts.Ports, "swp2")
	_, _, problems, err := plan.Desired(intent, facts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		`port "swp2": does not exist`,
		`port "swp49": has an intent, but is not one of this switch's machine or external ports`,
		`port "swp77": has an intent, but is not one of this switch's machine or external ports`,
		`port "swp3": has no intent, so it stays down`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The VRF that is there keeps its VNI against a newcomer, whatever their ports are called.
func TestNewcomersDisturbNobody(t *testing.T) {
	old, newcomer := tenantPort("swp4", 104001, 4), tenantPort("swp1", 104001, 1)
	newcomer.VRF = "VrfAnother"
	facts := leafFacts()
	facts.Assigned.VNIs = map[string]netmodel.VNI{"Vrf104001": 104001}
	want, _, problems, err := plan.Desired(with(leafIntent(), old, newcomer), facts)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || problems[0].Port != "swp1" || want.Kernel.Ports["swp4"].Master != "Vrf104001" {
		t.Errorf("problems %v, swp4 %+v", problems, want.Kernel.Ports["swp4"])
	}
}

// A configuration that makes no sense changes nothing.
func TestSenselessConfiguration(t *testing.T) {
	for name, change := range map[string]func(*netmodel.SwitchConfig){
		"no loopback":       func(c *netmodel.SwitchConfig) { c.Loopback = netip.Addr{} },
		"no ASN":            func(c *netmodel.SwitchConfig) { c.ASN = 0 },
		"tiny MTU":          func(c *netmodel.SwitchConfig) { c.MTU = 1280 },
		"VLAN of the VNIs":  func(c *netmodel.SwitchConfig) { c.Provisioning.VLAN = 1000 },
		"VLAN 1":            func(c *netmodel.SwitchConfig) { c.Provisioning.VLAN = 1 },
		"a port twice":      func(c *netmodel.SwitchConfig) { c.Ports = append(c.Ports, c.Ports[0]) },
		"role from nowhere": func(c *netmodel.SwitchConfig) { c.Role = "crossing" },
	} {
		intent := leafIntent()
		change(&intent.Config)
		if _, _, _, err := plan.Desired(intent, leafFacts()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Switch-local numbers: observed before stored before lowest free; those of VRFs that are about to go are not given away.
func TestAssignments(t *testing.T) {
	observed := plan.State{Kernel: plan.Kernel{
		VRFs: map[string]plan.VRF{"Vrf104009": {Table: 1001}, "Vrf104002": {Table: 1005}},
		SVIs: map[uint16]plan.SVI{1000: {}, 1001: {}},
		VNIs: map[netmodel.VNI]plan.VXLAN{104002: {VLANs: []plan.Member{{VLAN: 1001, PVID: true}}}},
	}}
	stored := plan.Assignments{
		Tables: map[string]uint32{"Vrf104002": 1002, "Vrf104003": 1009, "Vrf104004": 1005},
		VLANs:  map[netmodel.VNI]uint16{104003: 1030},
	}
	facts := leafFacts()
	facts.TakenTables = []uint32{1003}
	intent := with(leafIntent(), tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2), tenantPort("swp3", 104003, 3), tenantPort("swp4", 104004, 4))
	_, got, _, err := plan.Desired(intent, facts.Observing(observed, stored))
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Assignments{
		Tables: map[string]uint32{"provision": 1000, "Vrf104001": 1002, "Vrf104002": 1005, "Vrf104003": 1009, "Vrf104004": 1004},
		VLANs:  map[netmodel.VNI]uint16{104001: 1002, 104002: 1001, 104003: 1030, 104004: 1003},
		VNIs:   map[string]netmodel.VNI{"Vrf104001": 104001, "Vrf104002": 104002, "Vrf104003": 104003, "Vrf104004": 104004},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNumbersRunOut(t *testing.T) {
	facts := leafFacts()
	facts.Ranges = plan.Ranges{FirstTable: 1000, LastTable: 1001, FirstVLAN: 1000, LastVLAN: 1000}
	intent := with(leafIntent(), tenantPort("swp1", 104001, 1), tenantPort("swp2", 104002, 2))
	_, _, problems, err := plan.Desired(intent, facts)
	if err != nil || len(problems) != 1 || problems[0].Port != "swp2" || !strings.Contains(problems[0].Error(), `VRF "Vrf104002" gets no table: all of 1001-1001 are used`) {
		t.Errorf("got %v, %v", problems, err)
	}
	facts.TakenTables = []uint32{1001}
	if _, _, _, err := plan.Desired(intent, facts); err == nil || !strings.Contains(err.Error(), "none of 1001-1001 is free") {
		t.Errorf("taken by others: got %v", err)
	}
}

// What could not be read is left alone.
func TestUnknownPartsAreLeftAlone(t *testing.T) {
	intent := with(leafIntent(), tenantPort("swp1", 104001, 1))
	s, stored := converged(t, intent)
	s.Alter("everything", func(st *plan.State) {
		st.Kernel.Rules, st.Kernel.Sysctls, st.Kernel.Unreachable, st.Kernel.Loopback = plan.Rules{}, nil, nil, nil
		st.FRR, st.FRRSaved = plan.State{}.FRR, plan.State{}.FRRSaved
		st.Unknown = []plan.Part{plan.PartAddresses, plan.PartRoutes, plan.PartRules, plan.PartSysctls, plan.PartFRR, plan.PartFRRSaved}
		svi := st.Kernel.SVIs[20]
		svi.Addresses = nil
		st.Kernel.SVIs[20] = svi
	})
	observed, _ := s.Observe(t.Context())
	facts, _ := s.Facts(t.Context())
	plans := func(intent plan.Intent) string {
		want, _, _, err := plan.Desired(intent, facts.Observing(observed, *stored))
		if err != nil {
			t.Fatal(err)
		}
		return transcript(plan.Diff(observed, want))
	}
	if got := plans(intent); got != "\n" {
		t.Errorf("nothing that is known differs, and yet:\n%s", got)
	}
	// The port leaves, but what FRR may still use stays.
	if got, want := plans(leafIntent()), "set swp1 down\nmove swp1 from Vrf104001 to bridge\nset swp1 isolated on\nadd swp1 to vlan 20 pvid untagged\nset swp1 up\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	// A VRF that is made now gets its end, read or not.
	if got := plans(with(leafIntent(), tenantPort("swp1", 104002, 1))); !strings.Contains(got, "add unreachable IPv4 default to table 1002") {
		t.Errorf("got:\n%s", got)
	}
	observed.Unknown = []plan.Part{plan.PartLinks}
	if got := plans(leafIntent()); got != "\n" {
		t.Errorf("without the links nothing can be judged, and yet:\n%s", got)
	}
}

func TestMaximumPrefix(t *testing.T) {
	grant := func(p string, longest int) netmodel.Grant {
		return netmodel.Grant{Prefix: netip.MustParsePrefix(p), MaxLength: longest}
	}
	for _, tt := range []struct {
		grants []netmodel.Grant
		want   int
	}{
		{nil, 1},
		{[]netmodel.Grant{grant("10.0.0.1/32", 0)}, 1},
		{[]netmodel.Grant{grant("10.0.0.1/32", 0), grant("10.0.0.2/32", 0), grant("fd00::1/128", 0)}, 2},
		{[]netmodel.Grant{grant("10.0.0.1/32", 0), grant("10.244.0.0/24", 26)}, 8},
		{[]netmodel.Grant{grant("10.244.0.0/16", 32)}, 1000},
		{[]netmodel.Grant{grant("fd00::/48", 64), grant("fd00::1/128", 0)}, 1001},
	} {
		p := tenantPort("swp1", 104001, 1)
		p.Grants = tt.grants
		want, _, problems, err := plan.Desired(with(leafIntent(), p), leafFacts())
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if line := fmt.Sprintf("neighbor swp1 maximum-prefix %d restart", tt.want); !strings.Contains(want.FRR.String(), line) {
			t.Errorf("grants %v: no %q in\n%s", tt.grants, line, want.FRR)
		}
	}
}

// The router MAC tells its switch, and no two loopbacks share one.
func TestBridgeMAC(t *testing.T) {
	facts := leafFacts()
	for _, tt := range []struct {
		own  plan.MAC
		want string
	}{{plan.MAC{}, "02:50:0a:ff:00:0b"}, {plan.MAC{0, 1, 2, 3, 4, 5}, "00:01:02:03:04:05"}} {
		facts.BridgeMAC = tt.own
		want, _, _, err := plan.Desired(leafIntent(), facts)
		if err != nil {
			t.Fatal(err)
		}
		if got := want.Kernel.Bridge.MAC.String(); got != tt.want {
			t.Errorf("bridge MAC %s, want %s", got, tt.want)
		}
		if want.Kernel.SVIs[20].MAC != want.Kernel.Bridge.MAC {
			t.Error("an SVI has another MAC than the bridge")
		}
	}
}

// Foreign addresses on lo stay, ours that nobody wants go.
func TestLoopbackOwnership(t *testing.T) {
	s, stored := converged(t, leafIntent())
	old, foreign := netip.MustParsePrefix("10.255.0.99/32"), netip.MustParsePrefix("192.0.2.1/32")
	s.Alter("addresses", func(st *plan.State) {
		st.Kernel.Loopback[old], st.Kernel.Loopback[foreign] = plan.Ours, plan.Foreign
	})
	var got []string
	for _, op := range pass(t, s, leafIntent(), stored, -1).ops {
		got = append(got, op.String())
	}
	if want := []string{"delete address 10.255.0.99/32 from lo"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
