package lab

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/test/lab/uml"
)

// The guest's half of pulling plugs: of a whole node, or of one of its ports.

func (g *fabricGuest) child(name string) *uml.Child {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.nodes[name]
}

// power switches a node off or on. Off, its cables stay plugged, so that their far ends see no more than their carrier go; its disk
// (/etc, /var and the rest) stays, its memory (/run, /tmp, the kernel's state) does not.
func (g *fabricGuest) power(name string, on bool) error {
	n, err := g.node(name)
	if err != nil {
		return err
	}
	g.plugs.Lock()
	defer g.plugs.Unlock()
	switch running := g.child(name) != nil; {
	case on == running:
		return fmt.Errorf("node %s is %s already", name, map[bool]string{true: "on", false: "off"}[on])
	case on:
		return g.powerOn(n)
	default:
		return g.powerOff(n)
	}
}

func (g *fabricGuest) powerOff(n nodeSpec) error {
	child := g.child(n.Name)
	if err := unplug(g.number(n.Name), portsOf(g.spec, n), g.pulled[n.Name], child.Pid); err != nil {
		return fmt.Errorf("keep the cables of %s: %w", n.Name, err)
	}
	if err := unix.Kill(child.Pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill node %s: %w", n.Name, err)
	}
	<-child.Exit
	g.mu.Lock()
	delete(g.nodes, n.Name)
	g.mu.Unlock()
	return nil
}

func (g *fabricGuest) powerOn(n nodeSpec) error {
	pid, err := g.startNode(n)
	if err != nil {
		return fmt.Errorf("start node %s: %w", n.Name, err)
	}
	if err := plug(g.number(n.Name), portsOf(g.spec, n), g.pulled[n.Name], pid); err != nil {
		return fmt.Errorf("plug the cables of %s: %w", n.Name, err)
	}
	return g.configure(n.Name)
}

// port pulls one port out of a node, as a line card is pulled, or puts it back, down and without addresses, as a new one is.
func (g *fabricGuest) port(name, port string, in bool) error {
	n, err := g.node(name)
	if err != nil {
		return err
	}
	ports := portsOf(g.spec, n)
	if !slices.Contains(ports, port) {
		return fmt.Errorf("node %s has no port %q; it has %v", name, port, ports)
	}
	g.plugs.Lock()
	defer g.plugs.Unlock()
	child := g.child(name)
	switch pulled := g.pulled[name][port]; {
	case child == nil:
		return fmt.Errorf("node %s is off", name)
	case pulled != in:
		return fmt.Errorf("port %s of %s is %s already", port, name, map[bool]string{true: "plugged in", false: "pulled"}[in])
	}
	others := map[string]bool{}
	for _, p := range ports {
		others[p] = p != port
	}
	move := unplug
	if in {
		move = plug
	}
	if err := move(g.number(name), ports, others, child.Pid); err != nil {
		return err
	}
	if g.pulled[name] == nil {
		g.pulled[name] = map[string]bool{}
	}
	g.pulled[name][port] = !in
	return nil
}

// number is a node's place in the spec.
func (g *fabricGuest) number(name string) int {
	return slices.IndexFunc(g.spec.Nodes, func(n nodeSpec) bool { return n.Name == name })
}
