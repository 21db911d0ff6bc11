package lab

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// The guest's half of wrong cabling. Every cable has its near end in a leaf's port, where it stays; what is done is done to its far end,
// as somebody does who unplugs a machine and plugs in another: the leaf's port loses its carrier and hears somebody else.

// seat is where a cable's far end is plugged in: a port with its MAC address, or, without a node, the root namespace, where it lies
// about, down.
type seat struct {
	Endpoint
	mac net.HardwareAddr
}

// seats are the far ends of all cables as the topology has them, by the leaf's port.
func seats(spec guestSpec) map[Endpoint]seat {
	out := map[Endpoint]seat{}
	for i, c := range spec.Cables {
		s := seat{c.Ends[1], net.HardwareAddr(c.MACs[1])}
		if s.Node == "" {
			s = seat{Endpoint: Endpoint{Port: spareName(i)}}
		}
		out[c.Ends[0]] = s
	}
	return out
}

// spareName is that of the far end of a port with nothing cabled to it.
func spareName(cable int) string { return fmt.Sprintf("spare%d", cable) }

// recable exchanges what two leaf ports are cabled to.
func (g *fabricGuest) recable(a, b Endpoint) error {
	g.plugs.Lock()
	defer g.plugs.Unlock()
	atA, atB, err := g.loose(a, b)
	if err != nil {
		return err
	}
	if err := g.lift(atA, "moving-a"); err != nil {
		return err
	}
	if err := g.lift(atB, "moving-b"); err != nil {
		return err
	}
	if err := g.sit("moving-a", atB); err != nil {
		return err
	}
	if err := g.sit("moving-b", atA); err != nil {
		return err
	}
	g.seats[a], g.seats[b] = atB, atA
	return nil
}

// loose returns where the far ends of two leaf ports are, which must be ready to be taken out.
func (g *fabricGuest) loose(a, b Endpoint) (atA, atB seat, err error) {
	if a == b {
		return atA, atB, fmt.Errorf("%s and %s are the same port", a, b)
	}
	var both [2]seat
	for i, near := range [2]Endpoint{a, b} {
		at, ok := g.seats[near]
		switch {
		case !ok:
			return atA, atB, fmt.Errorf("%s is no port of a leaf; every cable begins at one", near)
		case g.hubs[near] != "":
			return atA, atB, fmt.Errorf("%s is cabled to a hub: take it out first", near)
		case at.Node != "" && g.child(at.Node) == nil:
			return atA, atB, fmt.Errorf("%s is cabled to %s, which is off", near, at.Node)
		case g.pulled[at.Node][at.Port]:
			return atA, atB, fmt.Errorf("%s is cabled to %s, which is pulled", near, at.Endpoint)
		}
		both[i] = at
	}
	return both[0], both[1], nil
}

// lift takes what is at a seat into the root namespace, down, under a name.
func (g *fabricGuest) lift(s seat, name string) error {
	if s.Node == "" {
		return rename(s.Port, name)
	}
	inside, root, err := namespaces(g.child(s.Node).Pid)
	if err != nil {
		return err
	}
	defer inside.Close()
	defer root.Close()
	link, err := inside.LinkByName(s.Port)
	if err != nil {
		return fmt.Errorf("find %s: %w", s.Endpoint, err)
	}
	if err := inside.LinkSetDown(link); err != nil {
		return fmt.Errorf("set %s down: %w", s.Endpoint, err)
	}
	if err := inside.LinkSetName(link, name); err != nil {
		return fmt.Errorf("rename %s: %w", s.Endpoint, err)
	}
	if err := inside.LinkSetNsFd(link, int(root.Fd())); err != nil {
		return fmt.Errorf("take out %s: %w", s.Endpoint, err)
	}
	return nil
}

// sit puts a link of the root namespace into a seat. A machine's port is set up, as its operating system does; a switch's is its
// agent's.
func (g *fabricGuest) sit(name string, s seat) error {
	if s.Node == "" {
		return rename(name, s.Port)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetHardwareAddr(link, s.mac); err != nil {
		return fmt.Errorf("set the MAC address of %s: %w", s.Endpoint, err)
	}
	pid := g.child(s.Node).Pid
	if err := netlink.LinkSetNsPid(link, pid); err != nil {
		return fmt.Errorf("put in %s: %w", s.Endpoint, err)
	}
	inside, root, err := namespaces(pid)
	if err != nil {
		return err
	}
	defer inside.Close()
	defer root.Close()
	if link, err = inside.LinkByName(name); err != nil {
		return fmt.Errorf("find %s in %s: %w", name, s.Node, err)
	}
	if err := inside.LinkSetName(link, s.Port); err != nil {
		return fmt.Errorf("name %s: %w", s.Endpoint, err)
	}
	if n, err := g.node(s.Node); err != nil || n.Switch {
		return err
	}
	if err := inside.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", s.Endpoint, err)
	}
	return nil
}

// rename gives a link of the root namespace another name; it is down after.
func rename(from, to string) error {
	link, err := netlink.LinkByName(from)
	if err != nil {
		return fmt.Errorf("find %s: %w", from, err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return fmt.Errorf("set %s down: %w", from, err)
	}
	if err := netlink.LinkSetName(link, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}
