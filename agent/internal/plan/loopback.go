package plan

import (
	"maps"
	"net/netip"
	"slices"
)

// desireLoopback wants the switch's own address, which is its router ID and the end of its tunnels.
func (b *build) desireLoopback() {
	b.kernel.LoopbackUp = true
	b.kernel.Loopback[netip.PrefixFrom(b.config.Loopback, b.config.Loopback.BitLen())] = Ours
}

func (d *difference) loopback() {
	if !d.have.LoopbackUp {
		d.add(SetUp{Device: LoopbackName, Up: true})
	}
	if !d.knows(PartAddresses) {
		return
	}
	for _, p := range slices.SortedFunc(maps.Keys(d.want.Loopback), netip.Prefix.Compare) {
		if _, ok := d.have.Loopback[p]; !ok {
			d.add(AddAddress{Device: LoopbackName, Prefix: p})
		}
	}
}

// staleLoopback deletes addresses that carry our mark; others on lo belong to whoever put them there.
func (d *difference) staleLoopback() {
	if !d.knows(PartAddresses) {
		return
	}
	for _, p := range slices.SortedFunc(maps.Keys(d.have.Loopback), netip.Prefix.Compare) {
		if _, wanted := d.want.Loopback[p]; !wanted && d.have.Loopback[p] == Ours {
			d.remove(DeleteAddress{Device: LoopbackName, Prefix: p})
		}
	}
}
