package allocate

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// attachable returns a network that machines of a project can be in.
func attachable(d *store.Data, t *store.Txn, project string, a netmodel.Attachment) (netmodel.Network, error) {
	found, ok := d.Network(project, a.Network)
	if !ok || found.Value.Project != project && !common(found.Value.Kind) {
		return netmodel.Network{}, store.Refuse(store.NotFound, "attachments.network: project %q has no network %q; pointsmanctl network list shows them", project, a.Network)
	}
	n := found.Value
	if n.Kind != netmodel.NetworkPrivate && !common(n.Kind) {
		return n, store.Refuse(store.Invalid, "attachments.network: %q is of kind %s; a machine's network is private, shared or external", n.ID, n.Kind)
	}
	t.Unchanged(keys.Network(n.Project, n.ID), found.ModRevision)
	return n, nil
}

// common says whether projects may be in another one's network of a kind.
func common(kind netmodel.NetworkKind) bool {
	return kind == netmodel.NetworkShared || kind == netmodel.NetworkExternal
}

// hold gives an allocation its addresses in a network: static ones that were held before, and a free one of each family of the
// network that has none among these.
func (s *Service) hold(d *store.Data, t *store.Txn, a *netmodel.Allocation, n netmodel.Network, asked netmodel.Attachment) error {
	got := netmodel.Attachment{Network: n.ID}
	for _, addr := range asked.Addresses {
		if err := useStatic(d, t, a, n, addr); err != nil {
			return err
		}
		got.Addresses = append(got.Addresses, addr)
	}
	for _, ipv6 := range []bool{false, true} {
		if !hasFamily(n.Prefixes, ipv6) || slices.ContainsFunc(got.Addresses, func(x netip.Addr) bool { return x.Is6() == ipv6 }) {
			continue
		}
		addr, ok := d.Pools.PickIP(n.ID, ipv6)
		if !ok {
			return store.Refuse(store.Exhausted, "network %q has no free %s address: all are held or rest in quarantine", n.ID, family(ipv6))
		}
		key := keys.IP(n.ID, addr)
		t.Absent(key)
		store.Put(t, key, wire.IPCodec, netmodel.IP{
			Network: n.ID, Address: addr, Project: a.Project, Kind: netmodel.IPEphemeral, State: netmodel.IPHeld, Allocation: a.ID, CreateTime: s.store.Now(),
		})
		got.Addresses = append(got.Addresses, addr)
	}
	slices.SortFunc(got.Addresses, netip.Addr.Compare)
	for _, addr := range asked.ServiceAddresses {
		if err := grantService(d, t, a, n, addr); err != nil {
			return err
		}
		got.ServiceAddresses = append(got.ServiceAddresses, addr)
	}
	a.Attachments = []netmodel.Attachment{got}
	return nil
}

func hasFamily(prefixes []netip.Prefix, ipv6 bool) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() == ipv6 })
}

func family(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// static finds a static address that a project holds.
func static(d *store.Data, project string, n netmodel.Network, addr netip.Addr, field string) (store.Object[netmodel.IP], error) {
	o, ok := d.IPs[store.Address{Network: n.ID, Address: addr}]
	switch {
	case !ok || o.Value.Project != project || o.Value.State != netmodel.IPHeld:
		return o, store.Refuse(store.Precondition, "attachments.%s: project %q does not hold %s in network %q; pointsmanctl ip allocate holds it", field, project, addr, n.ID)
	case o.Value.Kind != netmodel.IPStatic:
		return o, store.Refuse(store.Precondition, "attachments.%s: %s is not static: it goes with allocation %q", field, addr, o.Value.Allocation)
	}
	return o, nil
}

// useStatic takes a static address as the machine's own. An address that it had already is fine.
func useStatic(d *store.Data, t *store.Txn, a *netmodel.Allocation, n netmodel.Network, addr netip.Addr) error {
	o, err := static(d, a.Project, n, addr, "addresses")
	if err != nil {
		return err
	}
	if o.Value.Allocation != "" && o.Value.Allocation != a.ID {
		return store.Refuse(store.Precondition, "attachments.addresses: %s is used by allocation %q", addr, o.Value.Allocation)
	}
	key := keys.IP(n.ID, addr)
	t.Unchanged(key, o.ModRevision)
	t.Before(key, o.Raw)
	o.Value.Allocation = a.ID
	store.Put(t, key, wire.IPCodec, o.Value)
	return nil
}

// grantService lets the machine announce a static address that is no machine's own. Several machines may (anycast).
func grantService(d *store.Data, t *store.Txn, a *netmodel.Allocation, n netmodel.Network, addr netip.Addr) error {
	o, err := static(d, a.Project, n, addr, "service_addresses")
	if err != nil {
		return err
	}
	if o.Value.Allocation != "" {
		return store.Refuse(store.Precondition, "attachments.service_addresses: %s is allocation %q's own address", addr, cmp.Or(o.Value.Allocation, a.ID))
	}
	t.Unchanged(keys.IP(n.ID, addr), o.ModRevision)
	return nil
}

// letGo gives back an allocation's addresses: ephemeral ones rest in quarantine, static ones are the project's again. keep are
// addresses that stay.
func (s *Service) letGo(d *store.Data, t *store.Txn, a netmodel.Allocation, keep map[store.Address]bool) {
	for _, attachment := range a.Attachments {
		for _, addr := range attachment.Addresses {
			at := store.Address{Network: attachment.Network, Address: addr}
			o, ok := d.IPs[at]
			if !ok || keep[at] || o.Value.Allocation != a.ID {
				continue
			}
			key := keys.IP(at.Network, addr)
			t.Unchanged(key, o.ModRevision)
			t.Before(key, o.Raw)
			ip := o.Value
			switch {
			case ip.Kind == netmodel.IPStatic:
				ip.Allocation = ""
				store.Put(t, key, wire.IPCodec, ip)
			case s.quarantine == 0:
				t.Delete(key)
			default:
				ip.State, ip.Allocation = netmodel.IPQuarantined, ""
				store.Quarantine(t, key, wire.IPCodec, ip, s.quarantine)
			}
		}
	}
}
