package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// hub puts a hub where two cables meet: what is at the far ends of both is heard on the first port, and the second port has nothing. Or it
// takes the hub out.
func (g *fabricGuest) hub(a, b Endpoint, in bool) error {
	g.plugs.Lock()
	defer g.plugs.Unlock()
	if !in {
		return g.unhub(a, b)
	}
	atA, atB, err := g.loose(a, b)
	if err != nil {
		return err
	}
	if atA.Node == "" || atB.Node == "" {
		return fmt.Errorf("a hub joins two cables: %s or %s has none", a, b)
	}
	g.hubbed++
	name := fmt.Sprintf("hub%d", g.hubbed)
	if err := g.lift(atA, name+"-a"); err != nil {
		return err
	}
	if err := g.lift(atB, name+"-b"); err != nil { // lies about
		return err
	}
	// A bridge keeps LLDP to itself (IEEE 802.1Q, table 8-1) unless it is told not to; a hub knows nothing of it.
	lldpGroup := uint16(1 << 0xe)
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: fabricMTU}, MulticastSnooping: new(bool), GroupFwdMask: &lldpGroup}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add hub: %w", err)
	}
	for i, s := range []seat{atA, atB} {
		port := fmt.Sprintf("%s-%d", name, i)
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: port, MTU: fabricMTU, MasterIndex: bridge.Index}, PeerName: port + "far", PeerMTU: fabricMTU}); err != nil {
			return fmt.Errorf("add cable of the hub: %w", err)
		}
		if err := setLink(port, true); err != nil {
			return err
		}
		if err := g.sit(port+"far", s); err != nil {
			return err
		}
	}
	g.hubs[a], g.hubs[b] = name, name
	return plugIntoHub(name, name+"-a")
}

// plugIntoHub puts a link into a bridge, and both up.
func plugIntoHub(bridge, port string) error {
	b, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find %s: %w", bridge, err)
	}
	l, err := netlink.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find %s: %w", port, err)
	}
	if err := netlink.LinkSetMaster(l, b); err != nil {
		return fmt.Errorf("put %s into %s: %w", port, bridge, err)
	}
	for _, name := range []string{bridge, port} {
		if err := setLink(name, true); err != nil {
			return err
		}
	}
	return nil
}

// unhub takes a hub out.
func (g *fabricGuest) unhub(a, b Endpoint) error {
	name := g.hubs[a]
	if name == "" || name != g.hubs[b] {
		return fmt.Errorf("%s and %s do not meet in a hub", a, b)
	}
	for _, link := range []string{name + "-0", name + "-1", name} {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return fmt.Errorf("find %s: %w", link, err)
		}
		if err := netlink.LinkDel(l); err != nil {
			return fmt.Errorf("delete %s: %w", link, err)
		}
	}
	delete(g.hubs, a)
	delete(g.hubs, b)
	if err := g.sit(name+"-a", g.seats[a]); err != nil {
		return err
	}
	return g.sit(name+"-b", g.seats[b])
}
