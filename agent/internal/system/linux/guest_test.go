package linux

import (
	"context"
	"net/netip"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/agent/internal/system/conformance/kernelbench"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/frrguest"
	"github.com/pointsman/pointsman/test/lab/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m, frrguest.Releases()...) }

// fakeFRR is FRR as text: it accepts what the model says it would.
type fakeFRR struct {
	running, saved frr.Config
	configured     int
}

func (f *fakeFRR) Running(context.Context) (frr.Config, error) { return f.running, nil }
func (f *fakeFRR) StrictBFD(context.Context) bool              { return false }
func (f *fakeFRR) MistakesSVIs(context.Context) bool           { return false }
func (f *fakeFRR) Saved(context.Context) (frr.Config, error)   { return f.saved, nil }
func (f *fakeFRR) Apply(_ context.Context, changes []frr.Change) []error {
	f.configured += len(changes)
	f.running = frr.Patch(f.running, changes)
	return make([]error, len(changes))
}
func (f *fakeFRR) Save(_ context.Context, text string) (err error) {
	f.saved, err = frr.Parse(text)
	return err
}

// leaf is a switch in a network namespace of its own, with real devices. Its test keeps to one thread, whose namespace it is.
type leaf struct {
	*kernelbench.Devices
	*System
	frr   *fakeFRR // nil with real FRR
	agent *conformance.Agent
}

func newLeaf(t *testing.T) *leaf {
	t.Helper()
	l := &leaf{Devices: kernelbench.NewDevices(t)}
	l.frr = &fakeFRR{}
	l.open(l.frr)
	return l
}

// open begins to work on the devices.
func (l *leaf) open(routing FRR) {
	l.Helper()
	l.openWith(Options{FRR: routing})
}

func (l *leaf) openWith(o Options) {
	l.Helper()
	o.Management = kernelbench.Management
	var err error
	if l.System, err = New(o); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(l.System.Close)
	l.agent = &conformance.Agent{System: l.System}
}

func leafIntent(ports ...netmodel.PortIntent) plan.Intent {
	intent := plan.Intent{
		Config: netmodel.SwitchConfig{
			Switch: "leaf1", Role: netmodel.RoleLeaf, Loopback: netip.MustParseAddr("10.255.0.11"), ASN: 4200000011,
			Ports:        []netmodel.SwitchPort{{Name: "swp4", Role: netmodel.PortUplink}},
			Provisioning: netmodel.Provisioning{VLAN: 20, Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/24"), netip.MustParsePrefix("fd00:20:1::1/64")}},
		},
		Ports: map[string]netmodel.PortIntent{},
	}
	for _, p := range []string{"swp1", "swp2", "swp3"} {
		intent.Config.Ports = append(intent.Config.Ports, netmodel.SwitchPort{Name: p, Role: netmodel.PortMachine})
		intent.Ports[p] = netmodel.PortIntent{Port: p, Mode: netmodel.ModeProvisioning}
	}
	for _, p := range ports {
		intent.Ports[p.Port] = p
	}
	return intent
}

func tenantPort(port string, vni netmodel.VNI, host byte) netmodel.PortIntent {
	return netmodel.PortIntent{
		Port: port, Mode: netmodel.ModeVRF, VRF: netmodel.VRFName(vni), VNI: vni, PeerASN: 4201000000 + netmodel.ASN(host),
		Grants: []netmodel.Grant{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 32)}},
	}
}

// plan observes and compares.
func (l *leaf) plan(intent plan.Intent) (plan.State, []plan.Op) {
	l.Helper()
	return l.agent.Plan(l.T, intent)
}

// converge leads the leaf to an intent in one pass, and compares what it is then with what was wanted.
func (l *leaf) converge(intent plan.Intent) []plan.Op {
	l.Helper()
	return l.agent.Converge(l.T, intent)
}
