package memory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/conformance"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func TestConformance(t *testing.T) { conformance.Run(t, bench{}) }

type bench struct{}

// Stride implements conformance.Bench.
func (bench) Stride() int { return 1 }

func (bench) Fresh(t *testing.T) conformance.Switch {
	return &onBench{t, New("leaf1", "swp1", "swp2", "swp3", "swp4")}
}

type onBench struct {
	*testing.T
	sw *Switch
}

func (b *onBench) Ports() ([3]string, string)     { return [3]string{"swp1", "swp2", "swp3"}, "swp4" }
func (b *onBench) Open() system.System            { return b.sw }
func (b *onBench) Plug(port string)               { b.sw.Plug(port) }
func (b *onBench) Unplug(port string)             { b.sw.Unplug(port) }
func (b *onBench) Break(fail func(plan.Op) error) { b.sw.FailWhen(fail) }
func (b *onBench) state() plan.State              { s, _ := b.sw.Observe(b.Context()); return s }

// Watch returns when the watcher is known.
func (b *onBench) Watch() <-chan string {
	kicks := make(chan string, 1000)
	go func() { _ = b.sw.Watch(b.Context(), func(why string) { kicks <- why }) }()
	for known := false; !known; {
		b.sw.mu.Lock()
		known = len(b.sw.watchers) > 0
		b.sw.mu.Unlock()
	}
	return kicks
}

func (b *onBench) Look() conformance.View {
	k := b.state().Kernel
	v := conformance.View{Ports: map[string]conformance.Port{}, VRFs: map[string]bool{}, VNIs: map[netmodel.VNI]bool{}}
	for name, p := range k.Ports {
		port := conformance.Port{Up: p.Up, MTU: p.MTU, Master: p.Master, Isolated: p.Isolated}
		for _, m := range p.VLANs {
			if m.PVID {
				port.VLAN = m.VLAN
			}
		}
		v.Ports[name] = port
	}
	for name := range k.VRFs {
		v.VRFs[name] = true
	}
	for vni := range k.VNIs {
		v.VNIs[vni] = true
	}
	var err error
	if v.Neighbours, err = conformance.Neighbours(b.state().FRR.String()); err != nil {
		b.Fatal(err)
	}
	return v
}

func (b *onBench) Foreign() func() string {
	address := netip.MustParsePrefix("192.0.2.99/32")
	const routeMap = "route-map OPERATOR permit 10"
	b.sw.Alter("somebody", func(st *plan.State) {
		st.Kernel.Loopback[address] = plan.Foreign
		st.FRR.Lines = append(st.FRR.Lines, frr.Line{Text: routeMap})
	})
	return func() string {
		st := b.state()
		_, there := st.Kernel.Loopback[address]
		kept := slices.ContainsFunc(st.FRR.Lines, func(l frr.Line) bool { return l.Text == routeMap })
		saved := slices.ContainsFunc(st.FRRSaved.Lines, func(l frr.Line) bool { return l.Text == routeMap }) || len(st.FRRSaved.Lines) == 0
		return fmt.Sprintf("address %v, route map %v, saved %v", there, kept, saved)
	}
}

// Listen hears writes by what they change, and by their number.
func (b *onBench) Listen() func() []string {
	writes, before := b.sw.Writes(), b.state()
	return func() []string {
		var heard []string
		if n := b.sw.Writes(); n != writes {
			heard = append(heard, fmt.Sprintf("%d steps", n-writes))
		}
		if now := b.state(); !maps.EqualFunc(before.Kernel.Ports, now.Kernel.Ports, func(a, b plan.Port) bool { return a.MTU == b.MTU }) {
			heard = append(heard, "an MTU")
		}
		writes, before = b.sw.Writes(), b.state()
		return heard
	}
}

func (b *onBench) Disturb(port string) {
	b.sw.Alter("link "+port, func(st *plan.State) {
		p := st.Kernel.Ports[port]
		p.MTU = 1500
		st.Kernel.Ports[port] = p
	})
}
