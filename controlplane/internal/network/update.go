package network

import (
	"context"
	"net/netip"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Update changes what is not nil. Revision is what the network must be at; 0 is any.
type Update struct {
	Project, ID  string
	Description  *string
	Announceable *[]netmodel.Grant
	Destinations *[]netip.Prefix
	Labels       *map[string]string
	Revision     int64
}

// Update changes a network's description, labels, what its machines may announce, or what borders accept for it from outside; the
// compiler then rewrites the intents of the ports and VRFs concerned. VRF, VNI and prefixes are for life.
func (s *Service) Update(ctx context.Context, call store.Call, u Update) (netmodel.Network, error) {
	return store.Do(ctx, s.store, call, wire.NetworkCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.Network, error) {
		var n netmodel.Network
		var err error
		s.store.Read(func(d *store.Data) { n, err = decideUpdate(d, t, u) })
		return n, err
	}))
}

func decideUpdate(d *store.Data, t *store.Txn, u Update) (netmodel.Network, error) {
	o, ok := d.Networks[store.Named{Project: u.Project, ID: u.ID}]
	n := o.Value
	if !ok {
		return n, unknown(u.Project, u.ID)
	}
	if err := store.Expect(o, u.Revision); err != nil {
		return n, err
	}
	if u.Description != nil {
		n.Description = *u.Description
	}
	if u.Labels != nil {
		n.Labels = *u.Labels
	}
	if u.Announceable != nil {
		n.Announceable = *u.Announceable
		if n.Kind == netmodel.NetworkPool && len(n.Announceable) > 0 {
			return n, store.Refuse(store.Invalid, "announceable: a pool has no machines that could announce anything")
		}
		if err := checkAnnounceable(n); err != nil {
			return n, err
		}
	}
	if u.Destinations != nil {
		n.Destinations = *u.Destinations
		if err := checkDestinations(n); err != nil {
			return n, err
		}
	}
	key := keys.Network(n.Project, n.ID)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	store.Put(t, key, wire.NetworkCodec, n)
	return n, nil
}

// DescribeIP changes the description of a held address. revision is what it must be at; 0 is any.
func (s *Service) DescribeIP(ctx context.Context, call store.Call, project, network string, address netip.Addr, description string, revision int64) (netmodel.IP, error) {
	at := store.Address{Network: network, Address: address}
	return store.Do(ctx, s.store, call, wire.IPCodec, store.Settled(s.store, func(t *store.Txn) (netmodel.IP, error) {
		var o store.Object[netmodel.IP]
		var ok bool
		s.store.Read(func(d *store.Data) { o, ok = d.IPs[at] })
		ip := o.Value
		switch {
		case !ok || ip.Project != project:
			return ip, noAddress(project, at)
		case ip.State == netmodel.IPQuarantined:
			return ip, store.Refuse(store.Precondition, "address %s of network %q is released and rests in quarantine", address, network)
		}
		if err := store.Expect(o, revision); err != nil {
			return ip, err
		}
		ip.Description = description
		key := keys.IP(network, address)
		t.Unchanged(key, o.ModRevision)
		t.Before(key, o.Raw)
		store.Put(t, key, wire.IPCodec, ip)
		return ip, nil
	}))
}
