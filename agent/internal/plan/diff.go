package plan

import (
	"maps"
	"slices"

	"github.com/pointsman/pointsman/pkg/frr"
)

// SaveFRR writes the configuration file that FRR starts with.
type SaveFRR struct {
	Config frr.Config
	For
}

func (o SaveFRR) String() string { return "save frr configuration" }

// Diff returns the steps that lead from observed to desired, kernel and FRR in one list: what must be there before a port moves,
// the neighbours of leaving ports away, the moves, the neighbours of coming ports, the ports up, and then what nobody needs any more. Killed after any
// step, the next pass leads to the same end, and at no moment is a port in a VRF other than its old and its new one. It is empty
// where nothing differs. Parts of observed that are unknown are left alone; without the links, everything is.
func Diff(observed, desired State) []Op {
	if !observed.Knows(PartLinks) {
		return nil
	}
	d := &difference{have: observed.Kernel, want: desired.Kernel, knows: observed.Knows, svisLast: desired.SVIsLast}
	d.additions()
	d.ports()
	d.protection()
	if observed.Knows(PartFRR) {
		d.removals() // FRR may otherwise still have instances in what would go
	}
	var changes []frr.Change
	if observed.Knows(PartFRR) {
		changes = frr.Diff(observed.FRR, desired.FRR)
	}
	stage := func(s frr.Stage) []Op { return d.frrStage(changes, s) }
	ops := slices.Concat(
		d.added,
		stage(frr.StageNeighbourRemoval),
		d.moved,
		stage(frr.StageAddition), stage(frr.StageFilterRemoval),
		d.raised,
		stage(frr.StageInstanceRemoval),
		d.removed,
		stage(frr.StageVRFRemoval),
	)
	return slices.Concat(ops, save(observed, desired), saveKernel(observed, desired))
}

// Split parts a plan into what ports wait for, up to the last step that serves one, and the tidying up behind it. The ports can be
// proven in between.
func Split(ops []Op) (serving, tidying []Op) {
	n := len(ops)
	for n > 0 && len(ops[n-1].Ports()) == 0 {
		n--
	}
	return ops[:n:n], ops[n:]
}

// save keeps in FRR's file what is not ours. It is worth doing while FRR does not answer, too: that is what FRR starts with.
func save(observed, desired State) []Op {
	if !observed.Knows(PartFRRSaved) {
		return nil
	}
	running := observed.FRR
	if !observed.Knows(PartFRR) {
		running = observed.FRRSaved
	}
	want := frr.Carry(running, desired.FRR)
	if observed.FRRSaved.Equal(want) {
		return nil
	}
	return []Op{SaveFRR{Config: want}}
}

// difference is a list of steps in the making. Each thing has a file, whose methods add what differs.
type difference struct {
	have, want Kernel
	knows      func(Part) bool
	svisLast   bool

	added, moved, raised, removed []Op
}

func (d *difference) add(ops ...Op)    { d.added = append(d.added, ops...) }
func (d *difference) move(ops ...Op)   { d.moved = append(d.moved, ops...) }
func (d *difference) raise(ops ...Op)  { d.raised = append(d.raised, ops...) }
func (d *difference) remove(ops ...Op) { d.removed = append(d.removed, ops...) }

// additions come in the order in which one needs the other. An SVI and its VNI need each other, in FRR: 8.4.4 enters router MACs, and removes some of
// them later, if the VNI is there first. 10.3 takes an SVI that comes or goes while its VLAN has no VNI for that of another tenant's VNI, whose routes then
// lead into the wrong VRF (FRR issue 23028); with it the VNI comes before its SVI and goes after it, and the SVI of provisioning, which has none,
// comes before all VNIs.
func (d *difference) additions() {
	d.switchSysctls()
	d.rules()
	d.loopback()
	d.vrfs()
	d.bridge()
	if d.svisLast {
		tunnels := d.tunnelVLANs()
		d.svis(func(vlan uint16) bool { return !tunnels[vlan] })
		d.vnis()
		d.svis(func(vlan uint16) bool { return tunnels[vlan] })
	} else {
		d.svis(func(uint16) bool { return true })
		d.vnis()
	}
	d.deviceSysctls()
}

func (d *difference) removals() {
	if d.svisLast {
		d.staleSVIs()
		d.staleVNIs()
	} else {
		d.staleVNIs()
		d.staleSVIs()
	}
	d.staleBridgeVLANs()
	d.staleVRFs()
	d.staleLoopback()
}

// portsIn returns the ports that the desired state has in a VRF.
func (d *difference) portsIn(vrf string) For {
	var ports For
	for _, name := range slices.Sorted(maps.Keys(d.want.Ports)) {
		if vrf == ProvisionVRF && d.want.Ports[name].Master == BridgeName || vrf != "" && d.want.Ports[name].Master == vrf {
			ports = append(ports, name)
		}
	}
	return ports
}

func (d *difference) frrStage(changes []frr.Change, stage frr.Stage) []Op {
	op := ApplyFRR{VRFPorts: map[string][]string{}}
	for _, c := range changes {
		if c.Stage != stage {
			continue
		}
		op.Changes = append(op.Changes, c)
		if c.Port == "" && c.VRF != "" {
			op.VRFPorts[c.VRF] = d.portsIn(c.VRF)
		}
	}
	if len(op.Changes) == 0 {
		return nil
	}
	return []Op{op}
}
