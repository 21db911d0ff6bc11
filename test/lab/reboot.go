package lab

import (
	"fmt"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A network namespace takes its veths with it when it ends. While a node is off, or a port is pulled, the guest's root namespace
// holds its ends of the cables, down, under names of their own: the far ends see their carrier go, and nothing else.

// portsOf returns the names of a node's ports, in the order of the cables.
func portsOf(spec guestSpec, n nodeSpec) []string {
	var ports []string
	for _, c := range spec.Cables {
		for _, end := range c.Ends {
			if end.Node == n.Name {
				ports = append(ports, end.Port)
			}
		}
	}
	if n.Switch {
		ports = append(ports, "eth0")
	}
	return slices.Clip(ports)
}

// heldName is the name of a node's port, both by number, while the root namespace holds it.
func heldName(node, port int) string { return fmt.Sprintf("held%d~%d", node, port) }

// unplug takes ports out of a node's namespace, but those that are pulled already.
func unplug(node int, ports []string, pulled map[string]bool, pid int) error {
	inside, root, err := namespaces(pid)
	if err != nil {
		return err
	}
	defer inside.Close()
	defer root.Close()
	links := map[int]netlink.Link{}
	for i, port := range ports {
		if pulled[port] {
			continue
		}
		if links[i], err = inside.LinkByName(port); err != nil {
			return fmt.Errorf("find %s: %w", port, err)
		}
		// All lose their carrier first: the moves below take the kernel a while each.
		if err := inside.LinkSetDown(links[i]); err != nil {
			return fmt.Errorf("set %s down: %w", port, err)
		}
	}
	for i, link := range links {
		port := ports[i]
		if err := inside.LinkSetName(link, heldName(node, i)); err != nil {
			return fmt.Errorf("rename %s: %w", port, err)
		}
		if err := inside.LinkSetNsFd(link, int(root.Fd())); err != nil {
			return fmt.Errorf("take out %s: %w", port, err)
		}
	}
	return nil
}

// plug puts ports that unplug took into the namespace of a node's process 1, but those that are to stay pulled.
func plug(node int, ports []string, pulled map[string]bool, pid int) error {
	inside, root, err := namespaces(pid)
	if err != nil {
		return err
	}
	defer inside.Close()
	defer root.Close()
	for i, port := range ports {
		if pulled[port] {
			continue
		}
		link, err := netlink.LinkByName(heldName(node, i))
		if err != nil {
			return fmt.Errorf("find %s: %w", port, err)
		}
		if err := netlink.LinkSetNsPid(link, pid); err != nil {
			return fmt.Errorf("put in %s: %w", port, err)
		}
		if link, err = inside.LinkByName(heldName(node, i)); err != nil {
			return fmt.Errorf("find %s in the node: %w", port, err)
		}
		if err := inside.LinkSetName(link, port); err != nil {
			return fmt.Errorf("name %s: %w", port, err)
		}
	}
	return nil
}

// namespaces opens a node's network namespace and the root's.
func namespaces(pid int) (inside *netlink.Handle, root *os.File, err error) {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = ns.Close() }()
	if inside, err = netlink.NewHandleAt(ns, unix.NETLINK_ROUTE); err != nil {
		return nil, nil, err
	}
	if root, err = os.Open("/proc/self/ns/net"); err != nil {
		inside.Close()
		return nil, nil, err
	}
	return inside, root, nil
}
