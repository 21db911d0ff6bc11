package sonic

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/lab/swstate/hazard"
	"github.com/pointsman/pointsman/test/sonicguest"
)

const (
	hazardPorts    = 32
	hazardInFlight = 16
)

// The steps of a port's move, 16 ports at once, on daemons that take up to two seconds: nothing dies, and kernel and ASIC have each port
// where it was moved to. Without the gates the same switch does not survive: package swstate's tests show that.
func TestHazard(t *testing.T) {
	seed := hazard.Seed(t)
	sw := sonicguest.Start(t, sonicguest.Options{Ports: hazardPorts, MaxDelay: 2 * time.Second, Seed: seed})
	s, err := New(Options{
		Linux: linux.Options{FRR: &textFRR{}}, DatabaseConfig: sw.Databases(), ConfigFile: sw.Config(), Deadline: 2 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	places := tenants(t, s)
	move := func(ctx context.Context, port, _, to string) error {
		var errs []error
		for _, r := range s.Apply(ctx, stepsOfMove(port, to)) {
			errs = append(errs, r.Err)
		}
		return errors.Join(errs...)
	}
	out := hazard.Moves{Switch: sw, Ports: hazardPorts, Places: places, Moves: hazard.Count(t), InFlight: hazardInFlight, Seed: seed}.Run(t, move)
	if !out.Clean() {
		t.Error(out)
	}
}

// tenants makes four VRFs and the provisioning VLAN, and returns where a port can be.
func tenants(t *testing.T, s *System) []string {
	t.Helper()
	in := leaf()
	in.Config.Ports, in.Ports = nil, map[string]netmodel.PortIntent{}
	places := []string{sonicguest.Bridge}
	for n := range 5 {
		port := sonicguest.PortName(n)
		in.Config.Ports = append(in.Config.Ports, netmodel.SwitchPort{Name: port, Role: netmodel.PortMachine})
		in.Ports[port] = netmodel.PortIntent{Port: port, Mode: netmodel.ModeProvisioning}
		if n > 0 {
			in.Ports[port] = tenant(port, 104000+netmodel.VNI(n))
			places = append(places, in.Ports[port].VRF)
		}
	}
	agent := &conformance.Agent{System: s}
	for range 3 {
		_, ops := agent.Plan(t, in)
		for _, r := range s.Apply(t.Context(), ops) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	for n := range 5 { // nowhere, as those that are moved begin
		port := sonicguest.PortName(n)
		for _, r := range s.Apply(t.Context(), []plan.Op{plan.SetMaster{Device: port, To: "", For: plan.For{port}}}) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	return places
}

// stepsOfMove are those that the planner takes.
func stepsOfMove(port, to string) []plan.Op {
	of := plan.For{port}
	ops := []plan.Op{plan.SetUp{Device: port, Up: false, For: of}}
	if to == sonicguest.Bridge {
		ops = append(ops, plan.SetMaster{Device: port, To: plan.BridgeName, For: of}, plan.AddMember{Device: port, Member: plan.Member{VLAN: 20, PVID: true, Untagged: true}, For: of})
	} else {
		ops = append(ops, plan.SetMaster{Device: port, To: to, For: of})
	}
	return append(ops, plan.SetUp{Device: port, Up: true, For: of})
}

func ExampleRuleError() {
	fmt.Println(validate(Key{Table: tablePort, Name: "Ethernet0"}, Row{"mtu": "9300"}))
	// Output: PORT|Ethernet0: mtu "9300" is not in 68..9216
}
