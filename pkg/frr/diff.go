package frr

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Diff returns the commands that make want of have, as far as the configuration is ours, ordered by Stage and, inside a stage,
// so that FRR accepts each: what is referred to comes first and goes last. When all were accepted, Diff of what FRR then runs
// is empty.
func Diff(have, want Config) []Change {
	d := differ{have: ownedPart(have), want: ownedPart(want.on(have)), vrfOf: map[string]string{}}
	for _, o := range []owned{d.have, d.want} {
		for vrf, in := range o.instances {
			for name, identity := range in.neighbours() {
				if isInterface(identity) {
					d.vrfOf[name] = vrf
				}
			}
		}
	}
	d.neighboursAway()
	d.settings()
	d.profiles()
	d.lists()
	d.routeMaps()
	d.vrfs()
	d.ports()
	d.instances()
	d.filtersAway()
	d.instancesAway()
	d.vrfsAway()
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(lateness(a), lateness(b)))
	})
	return d.changes
}

// lateness puts off what tells bgpd of a VNI until the VRF's instance and its route targets are there. Told earlier, bgpd makes the
// instance itself and imports by automatic route targets; the explicit ones then delete and add each route in one burst, after
// which zebra has dropped the router MACs of its next hops for good (seen with 8.4.4: traffic to other leaves goes nowhere).
func lateness(c Change) int {
	switch {
	case c.Stage == StageAddition && len(c.Context) == 1 && strings.HasPrefix(c.Context[0], "vrf ") && strings.HasPrefix(c.Line, "vni "):
		return 1
	case c.Line == "advertise-all-vni":
		return 2
	}
	return 0
}

type differ struct {
	have, want owned
	vrfOf      map[string]string // of each port with a neighbour
	changes    []Change
}

// scope says for whom a change is.
type scope struct{ port, vrf string }

func (d *differ) emit(stage Stage, of scope, line string, context ...string) {
	d.changes = append(d.changes, Change{Context: context, Line: line, Stage: stage, Port: of.port, VRF: of.vrf})
}

// replace emits what turns one list of lines into another in one context: first what is taken away and has no successor in
// its slot, then what is new, in canonical order.
func (d *differ) replace(of func(line string) scope, have, want []string, context ...string) {
	d.remove(of, have, want, context...)
	for _, line := range missing(want, have) {
		d.emit(StageAddition, of(line), line, context...)
	}
}

// remove emits the removal of lines that want has neither as they are nor with another value.
func (d *differ) remove(of func(line string) scope, have, want []string, context ...string) {
	if slices.Equal(have, want) {
		return
	}
	slots := map[string]bool{}
	for _, line := range want {
		slots[slot(line)] = true
	}
	for _, line := range slices.Backward(have) {
		if !slots[slot(line)] {
			d.emit(StageAddition, of(line), negate(line), context...)
		}
	}
}

// missing returns the lines of a that b lacks, in a's order.
func missing(a, b []string) []string {
	if slices.Equal(a, b) {
		return nil
	}
	var out []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, line)
		}
	}
	return out
}

func (d *differ) settings() {
	d.replace(everywhere, d.have.settings, d.want.settings)
}

func everywhere(string) scope { return scope{} }

func (d *differ) profiles() {
	for _, name := range sorted(d.want.profiles) {
		d.replace(everywhere, d.have.profiles[name], d.want.profiles[name], "bfd", name)
	}
}

func (d *differ) vrfs() {
	for _, name := range sorted(d.want.vrfs) {
		of := func(string) scope { return scope{vrf: name} }
		// A VRF's VNI cannot be changed while it has one: its old value is no slot of the new.
		d.replace(of, d.have.vrfs[name], d.want.vrfs[name], "vrf "+name)
	}
}

func (d *differ) ports() {
	for _, port := range sorted(d.want.ports) {
		of := func(string) scope { return scope{port: port} }
		have, want := d.have.ports[port], d.want.ports[port]
		const zero = "ipv6 nd ra-lifetime 0"
		if slices.Contains(have, zero) && len(missing(want, have)) > 0 {
			// FRR refuses every interval, even a longer one, while the lifetime is 0.
			have = slices.DeleteFunc(slices.Clone(have), func(line string) bool { return line == zero })
			d.emit(StageAddition, of(""), negate(zero), "interface "+port)
		}
		d.replace(of, have, want, "interface "+port)
	}
}

func (d *differ) vrfsAway() {
	for _, name := range slices.Backward(sorted(d.have.vrfs)) {
		if _, wanted := d.want.vrfs[name]; !wanted {
			d.emit(StageVRFRemoval, scope{vrf: name}, "no vrf "+name)
		}
	}
}

// sorted returns the keys in canonical order, so that the same difference gives the same changes.
func sorted[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), compareText)
}
