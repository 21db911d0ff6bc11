package conformance

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// becomes leads the switch to an intent, and looks at it from outside.
func (r *run) becomes(what string, in plan.Intent, missing ...string) {
	r.Helper()
	r.agent.Converge(r.T, in, missing...)
	r.seen = r.Look()
	if diff := cmp.Diff(r.expected(in, missing...), r.seen); diff != "" {
		r.Errorf("%s: from outside, the switch is not what it should be (-want +got):\n%s", what, diff)
	}
	if r.Failed() {
		r.FailNow() // what comes next would begin elsewhere
	}
}

func (r *run) provisioning() {
	r.becomes("at first", r.intent())
	r.restart()
	if _, ops := r.agent.Plan(r.T, r.intent()); len(ops) > 0 {
		r.Errorf("after a restart there is work: %v", ops)
	}
}

func (r *run) moves() {
	r.becomes("at first", r.intent())
	r.becomes("provisioning to VRF", r.intent(r.tenant(0, red)))
	r.becomes("VRF to VRF, which is new", r.intent(r.tenant(0, green)))
	r.becomes("another into the VRF that was left", r.intent(r.tenant(0, green), r.tenant(1, red)))
	r.becomes("VRF to VRF, which is there", r.intent(r.tenant(0, red), r.tenant(1, red)))
	r.becomes("they change places", r.intent(r.tenant(0, green), r.tenant(1, blue)))
	r.becomes("VRF to provisioning", r.intent(r.tenant(1, blue)))
	r.becomes("released", r.intent())
}

func (r *run) together() {
	r.becomes("at first", r.intent())
	r.becomes("both at once", r.intent(r.tenant(0, red), r.tenant(1, red)))
	r.becomes("one leaves", r.intent(r.tenant(1, red)))
	r.becomes("it is back", r.intent(r.tenant(0, red), r.tenant(1, red)))
	r.becomes("the other leaves", r.intent(r.tenant(0, red)))
	r.becomes("the last one leaves", r.intent())
}

func (r *run) downAndUp() {
	r.becomes("at first", r.intent(r.tenant(0, red)))
	r.becomes("down from provisioning", r.intent(r.tenant(0, red), r.disabled(1)))
	r.becomes("down from a VRF", r.intent(r.disabled(0), r.disabled(1)))
	r.becomes("up in a VRF", r.intent(r.disabled(0), r.tenant(1, green)))
	r.becomes("up in provisioning", r.intent(r.tenant(1, green)))
}

// mtu of a link changes what is inside tunnels too, which the comparison with the desired state finds.
func (r *run) mtu() {
	in := r.intent(r.tenant(0, red))
	r.becomes("at first", in)
	for _, mtu := range []int{9000, 1600, in.Config.LinkMTU()} {
		in.Config.MTU = mtu
		r.becomes("with another MTU", in)
	}
}

// hotPlug: a port that disappears takes its own tenant along and touches no other port.
func (r *run) hotPlug() {
	in := r.intent(r.tenant(0, red), r.tenant(1, green))
	r.becomes("at first", in)
	kicks := r.Watch()
	r.Unplug(r.p[1])
	r.kicked(kicks, r.p[1], "went")
	r.becomes("a port is gone", in, r.p[1])
	drain(kicks)
	r.Plug(r.p[1])
	r.kicked(kicks, r.p[1], "came")
	r.becomes("it is back", in)
	r.Unplug(r.p[1])
	r.becomes("gone again", in, r.p[1])
	r.Plug(r.p[1])
	r.becomes("back in another place", r.intent(r.tenant(0, red)))
}

// kickTime is how long an event may take to be heard, on a machine with more to do.
const kickTime = 20 * time.Second

// kicked waits for a kick that names a port.
func (r *run) kicked(kicks <-chan string, port, after string) {
	r.Helper()
	deadline := time.After(kickTime)
	for {
		select {
		case why := <-kicks:
			if strings.Contains(why, port) {
				return
			}
		case <-deadline:
			r.Fatalf("%s %s, and nobody said so", port, after)
		}
	}
}

func drain(kicks <-chan string) {
	for {
		select {
		case <-kicks:
		default:
			return
		}
	}
}

// leg is a way that the first machine port goes while the second stays in a VRF and the third in provisioning.
type leg struct {
	name string
	to   plan.Intent
}

// round is a way that ends where it began.
func (r *run) round() []leg {
	stays := r.tenant(1, red)
	return []leg{
		{"provisioning to VRF", r.intent(r.tenant(0, green), stays)},
		{"VRF to VRF", r.intent(r.tenant(0, blue), stays)},
		{"into another's VRF", r.intent(r.tenant(0, red), stays)},
		{"VRF to provisioning", r.intent(stays)},
	}
}

func (l leg) place(port string) string {
	if p := l.to.Ports[port]; p.Mode == netmodel.ModeVRF {
		return p.VRF
	}
	return plan.BridgeName
}

// undisturbed looks at the switch in the middle of a leg: whoever does not move is as before, and who moves is in its old place, its
// new one or in none, up only in the first two.
func (r *run) undisturbed(l leg, at string) {
	r.Helper()
	before, now := r.seen, r.Look()
	moving := r.p[0]
	for _, name := range slices.Sorted(maps.Keys(before.Ports)) {
		if name == moving {
			continue
		}
		if before.Ports[name] != now.Ports[name] || before.Neighbours[name] != now.Neighbours[name] {
			r.Errorf("%s, %s: %s was %+v with its neighbour in %q, is %+v with it in %q", l.name, at, name,
				before.Ports[name], before.Neighbours[name], now.Ports[name], now.Neighbours[name])
		}
	}
	p := now.Ports[moving]
	if allowed := []string{before.Ports[moving].Master, l.place(moving)}; !slices.Contains(allowed, p.Master) && (p.Master != "" || p.Up) {
		r.Errorf("%s, %s: the port that moves is %+v; its places are %q", l.name, at, p, allowed)
	}
}
