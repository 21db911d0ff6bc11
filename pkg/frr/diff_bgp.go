package frr

import (
	"slices"
	"strings"
)

// neighboursAway deletes neighbours that go, or whose identity changes, and prepares have so that all their wanted lines count
// as new. If the underlay's ASN changes, every instance goes here, whole: FRR refuses the new ASN while the old is in use, and to
// delete the underlay while another instance is left.
func (d *differ) neighboursAway() {
	whole := d.have.instances[""].asn != "" && d.have.instances[""].asn != d.want.instances[""].asn && d.want.instances[""].asn != ""
	vrfs := slices.Backward(sorted(d.have.instances)) // the underlay comes first and goes last
	for _, vrf := range vrfs {
		have := d.have.instances[vrf]
		want, wanted := d.want.instances[vrf]
		gone := lost(have.neighbours(), want.neighbours(), whole || !wanted || want.asn != have.asn)
		for _, name := range gone {
			d.emit(StageNeighbourRemoval, d.ofNeighbour(vrf, name, have.neighbours()), removal(name, have.neighbours()[name]), have.header)
		}
		d.have.instances[vrf] = have.withoutNeighbours(gone)
	}
	for _, vrf := range vrfs {
		have := d.have.instances[vrf]
		if want, wanted := d.want.instances[vrf]; whole || wanted && want.asn != have.asn {
			d.dropVNI(StageNeighbourRemoval, vrf)
			d.emit(StageNeighbourRemoval, scope{vrf: vrf}, "no "+have.header)
			delete(d.have.instances, vrf)
		}
	}
}

// lost names the neighbours that must go, neighbours before the peer-groups that they are members of. Of an instance that goes
// as a whole, peer-groups go with it.
func lost(have, want map[string]string, whole bool) []string {
	var members, groups []string
	for _, name := range sorted(have) {
		switch {
		case !whole && want[name] == have[name]:
		case !isGroup(have[name]):
			members = append(members, name)
		case !whole:
			groups = append(groups, name)
		}
	}
	return append(members, groups...)
}

// removal is the command that deletes a neighbour with all its lines.
func removal(name, identity string) string {
	switch {
	case isInterface(identity):
		return "no neighbor " + name + " interface"
	case isGroup(identity):
		return "no neighbor " + name + " peer-group"
	}
	return "no neighbor " + name
}

// withoutNeighbours returns the instance without any line of the neighbours named.
func (in instance) withoutNeighbours(names []string) instance {
	of := func(text string) bool {
		name, _, ok := neighbourLine(text)
		return ok && slices.Contains(names, name)
	}
	out := instance{header: in.header, asn: in.asn, globals: slices.DeleteFunc(slices.Clone(in.globals), of)}
	for _, f := range in.families {
		out.families = append(out.families, family{f.header, slices.DeleteFunc(slices.Clone(f.lines), of)})
	}
	return out
}

func (d *differ) ofNeighbour(vrf, name string, identities map[string]string) scope {
	if isInterface(identities[name]) {
		return scope{port: name, vrf: vrf}
	}
	return scope{vrf: vrf}
}

// instances changes BGP instances that stay or come, the underlay first. What all neighbours share comes before any of them,
// and the line that lets a session start, its remote-as, comes last: by then its filters are in place.
func (d *differ) instances() {
	for _, vrf := range sorted(d.want.instances) {
		want := d.want.instances[vrf]
		have := d.have.instances[vrf]
		b := bgpDiffer{differ: d, have: have, want: want, identities: want.neighbours(), vrf: vrf}
		if have.header == "" && len(want.globals) == 0 && len(want.families) == 0 {
			d.emit(StageAddition, scope{vrf: vrf}, want.header)
		}
		b.removals()
		b.additions(b.isShared)
		b.globals(b.isMaking)
		b.additions(func(line string) bool { return !b.isShared(line) && !b.isMaking(line) && !b.isStarting(line) })
		b.globals(b.isStarting)
	}
}

// bgpDiffer compares one instance.
type bgpDiffer struct {
	*differ
	have, want instance
	identities map[string]string
	vrf        string
}

func (b bgpDiffer) scope(line string) scope {
	name, _, _ := neighbourLine(line)
	return b.ofNeighbour(b.vrf, name, b.identities)
}

// isShared: not of one neighbour, but of the instance or a peer-group.
func (b bgpDiffer) isShared(line string) bool {
	name, _, ok := neighbourLine(line)
	return !ok || isGroup(b.identities[name])
}

// isMaking: the line that makes a neighbour.
func (b bgpDiffer) isMaking(line string) bool {
	_, setting, ok := neighbourLine(line)
	return ok && strings.HasPrefix(setting, "interface")
}

// isStarting: the line that gives a neighbour its ASN.
func (b bgpDiffer) isStarting(line string) bool {
	_, setting, ok := neighbourLine(line)
	return ok && strings.HasPrefix(setting, "remote-as") && !b.isShared(line)
}

func (b bgpDiffer) removals() {
	b.remove(b.scope, b.have.globals, b.want.globals, b.want.header)
	for _, f := range b.have.families {
		b.remove(b.scope, f.lines, b.want.lines(f.header), b.want.header, f.header)
	}
}

// additions emits the missing lines that pick accepts, of the instance and of its address families.
func (b bgpDiffer) additions(pick func(string) bool) {
	b.globals(pick)
	for _, f := range b.want.families {
		for _, line := range missing(f.lines, b.have.lines(f.header)) {
			if pick(line) {
				b.emit(StageAddition, b.scope(line), line, b.want.header, f.header)
			}
		}
	}
}

func (b bgpDiffer) globals(pick func(string) bool) {
	for _, line := range missing(b.want.globals, b.have.globals) {
		if pick(line) {
			b.emit(StageAddition, b.scope(line), line, b.want.header)
		}
	}
}

// instancesAway deletes BGP instances. FRR refuses that while the VRF has a VNI.
func (d *differ) instancesAway() {
	for _, vrf := range slices.Backward(sorted(d.have.instances)) {
		if _, wanted := d.want.instances[vrf]; wanted {
			continue
		}
		d.dropVNI(StageInstanceRemoval, vrf)
		d.emit(StageInstanceRemoval, scope{vrf: vrf}, "no "+d.have.instances[vrf].header)
	}
	for _, vrf := range slices.Backward(sorted(d.have.vrfs)) {
		if _, wanted := d.want.vrfs[vrf]; !wanted {
			d.dropVNI(StageInstanceRemoval, vrf)
		}
	}
}

// dropVNI takes the VNI off a VRF and forgets it, so that it is sent once, and again if it is wanted.
func (d *differ) dropVNI(stage Stage, vrf string) {
	var rest []string
	for _, line := range d.have.vrfs[vrf] {
		if strings.HasPrefix(line, "vni ") {
			d.emit(stage, scope{vrf: vrf}, "no "+line, "vrf "+vrf)
			continue
		}
		rest = append(rest, line)
	}
	if _, known := d.have.vrfs[vrf]; known {
		d.have.vrfs[vrf] = rest
	}
}
