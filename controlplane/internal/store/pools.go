package store

import (
	"math/rand/v2"
	"net/netip"

	"github.com/pointsman/pointsman/controlplane/internal/ipam"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// NumberPool is a range of numbers, some of which are held.
type NumberPool interface {
	Mark(n uint32, held bool)
	Pick(random func(n uint64) uint64) (uint32, bool)
}

// Pools are the free numbers: kept by the watch, proven by the transaction that creates one.
type Pools struct {
	ASNs, VNIs NumberPool
	networks   map[string][]*ipam.Prefix
}

func newPools() *Pools {
	return &Pools{
		ASNs:     ipam.NewRange(uint32(netmodel.FirstMachineASN), uint32(netmodel.LastMachineASN)),
		VNIs:     ipam.NewRange(uint32(netmodel.FirstVNI), uint32(netmodel.LastVNI)),
		networks: map[string][]*ipam.Prefix{},
	}
}

func (p *Pools) addNetwork(id string, prefixes []netip.Prefix, held Table[Address, netmodel.IP]) {
	if known := p.networks[id]; len(known) == len(prefixes) {
		return // prefixes are immutable
	}
	var pools []*ipam.Prefix
	for _, prefix := range prefixes {
		pools = append(pools, ipam.NewPrefix(prefix))
	}
	p.networks[id] = pools
	for k := range held {
		if k.Network == id {
			p.mark(k, true)
		}
	}
}

func (p *Pools) dropNetwork(id string) { delete(p.networks, id) }

func (p *Pools) mark(a Address, held bool) {
	for _, pool := range p.networks[a.Network] {
		pool.Mark(a.Address, held)
	}
}

// PickIP returns a free address of a network's family, or false if there is none. It is free in the cache; creating its key
// proves it.
func (p *Pools) PickIP(network string, ipv6 bool) (netip.Addr, bool) {
	for _, pool := range p.networks[network] {
		if pool.Is6() != ipv6 {
			continue
		}
		if a, ok := pool.Pick(rand.Uint64N); ok {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// PickASN returns a free ASN for a machine.
func (p *Pools) PickASN() (netmodel.ASN, bool) {
	n, ok := p.ASNs.Pick(rand.Uint64N)
	return netmodel.ASN(n), ok
}

// PickVNI returns a free VNI.
func (p *Pools) PickVNI() (netmodel.VNI, bool) {
	n, ok := p.VNIs.Pick(rand.Uint64N)
	return netmodel.VNI(n), ok
}
