package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// Cut cuts a cable, named as Topology.Cable does: what is at its ends loses its carrier. A switch's agent would put a port that is set
// down up again; therefore between two switches the spine's port is pulled, and a machine's is set down.
func (f *Fabric) Cut(ctx context.Context, link string) error { return f.cable(ctx, link, false) }

// Heal mends a cable that Cut has cut.
func (f *Fabric) Heal(ctx context.Context, link string) error { return f.cable(ctx, link, true) }

func (f *Fabric) cable(ctx context.Context, link string, whole bool) error {
	ends, err := f.Topology.Cable(link)
	if err != nil {
		return err
	}
	far := ends[1] // a spine's, a machine's or the outside's: every cable begins at a leaf or a border
	if f.Topology.isMachine(far.Node) || far.Node == outsideName {
		return f.SetLink(ctx, far.Node, far.Port, whole)
	}
	return f.setPort(ctx, far.Node, far.Port, whole)
}

// Pull pulls a port out of a node while it runs; Plug puts it back, as a port that is new: down, without addresses.
func (f *Fabric) Pull(ctx context.Context, node, port string) error {
	return f.setPort(ctx, node, port, false)
}

// Plug puts a port that Pull has pulled back.
func (f *Fabric) Plug(ctx context.Context, node, port string) error {
	return f.setPort(ctx, node, port, true)
}

func (f *Fabric) setPort(ctx context.Context, node, port string, in bool) error {
	if _, err := f.do(ctx, request{Op: opPort, Target: node, Port: port, Up: in}, nil, nil, nil); err != nil {
		return fmt.Errorf("%s port %s of %s: %w", map[bool]string{true: "plug", false: "pull"}[in], port, node, err)
	}
	return nil
}

// Recable exchanges what two ports of leaves, such as "leaf01:swp1", are cabled to: machines, spines, or nothing. The same again undoes
// it. Cut and Heal go on naming cables as the topology has them.
func (f *Fabric) Recable(ctx context.Context, a, b string) error {
	return f.cabling(ctx, opRecable, a, b, true)
}

// Hub puts a hub where the cables of two ports of leaves meet: the first port hears both far ends, the second nobody.
func (f *Fabric) Hub(ctx context.Context, a, b string) error {
	return f.cabling(ctx, opHub, a, b, true)
}

// Unhub takes out a hub that Hub has put in.
func (f *Fabric) Unhub(ctx context.Context, a, b string) error {
	return f.cabling(ctx, opHub, a, b, false)
}

func (f *Fabric) cabling(ctx context.Context, op, a, b string, in bool) error {
	req := request{Op: op, Up: in}
	for i, text := range [2]string{a, b} {
		node, port, ok := strings.Cut(text, ":")
		if !ok || node == "" || port == "" {
			return fmt.Errorf("%s %q: write LEAF:PORT, such as leaf01:swp1", op, text)
		}
		req.Ends[i] = Endpoint{node, port}
	}
	if _, err := f.do(ctx, req, nil, nil, nil); err != nil {
		return fmt.Errorf("%s %s and %s: %w", op, a, b, err)
	}
	return nil
}

// Freeze stops services of a node where they stand (SIGSTOP): their sessions stay open and silent. Thaw lets them go on.
func (f *Fabric) Freeze(ctx context.Context, node string, services ...string) error {
	return f.signalAll(ctx, node, services, syscall.SIGSTOP)
}

// Thaw lets frozen services go on.
func (f *Fabric) Thaw(ctx context.Context, node string, services ...string) error {
	return f.signalAll(ctx, node, services, syscall.SIGCONT)
}

func (f *Fabric) signalAll(ctx context.Context, node string, services []string, signal syscall.Signal) error {
	var errs []error
	for _, s := range services {
		errs = append(errs, f.Kill(ctx, node, s, signal))
	}
	return errors.Join(errs...)
}

// Blackhole has a node swallow all that its front-panel ports would send, with its links up and its programs alive, or ends that.
// Its management port stays as it is.
func (f *Fabric) Blackhole(ctx context.Context, node string, swallow bool) error {
	if _, err := f.do(ctx, request{Node: node, Op: opBlackhole, Up: !swallow}, nil, nil, nil); err != nil {
		return fmt.Errorf("blackhole %s: %w", node, err)
	}
	return nil
}

// PowerOff pulls a node's plug: the far ends of its cables lose their carrier.
func (f *Fabric) PowerOff(ctx context.Context, node string) error { return f.power(ctx, node, false) }

// PowerOn boots a node that is off; it returns when its services run. Its disk is as it was, and so are its cables.
func (f *Fabric) PowerOn(ctx context.Context, node string) error { return f.power(ctx, node, true) }

// Reboot is PowerOff and PowerOn.
func (f *Fabric) Reboot(ctx context.Context, node string) error {
	if err := f.PowerOff(ctx, node); err != nil {
		return err
	}
	return f.PowerOn(ctx, node)
}

func (f *Fabric) power(ctx context.Context, node string, on bool) error {
	if _, err := f.do(ctx, request{Op: opPower, Target: node, Up: on}, nil, nil, nil); err != nil {
		return fmt.Errorf("power %s: %w", node, err)
	}
	return nil
}

// Cable finds a cable by one of its ends (leaf01:swp49), or by the two nodes that it joins (leaf01:spine01), and returns its ends, the
// leaf's first.
func (t *Topology) Cable(link string) ([2]Endpoint, error) {
	node, rest, ok := strings.Cut(link, ":")
	if !ok {
		return [2]Endpoint{}, fmt.Errorf("link %q: write NODE:PORT or NODE:NODE, such as leaf01:swp1 or leaf01:spine01", link)
	}
	var known []string
	for _, c := range cables(t.Inventory()) {
		if c.Ends[1] == (Endpoint{}) {
			continue
		}
		for i, end := range c.Ends {
			peer := c.Ends[1-i]
			if end.Node != node {
				continue
			}
			if end.Port == rest || peer.Node == rest {
				return c.Ends, nil
			}
			known = append(known, end.Port+" to "+peer.Node)
		}
	}
	if known == nil {
		return [2]Endpoint{}, fmt.Errorf("link %q: no cable ends at a node %q", link, node)
	}
	return [2]Endpoint{}, fmt.Errorf("link %q: %s has %s", link, node, strings.Join(known, ", "))
}

func (t *Topology) isMachine(node string) bool {
	return slices.ContainsFunc(t.Inventory().Machines, func(m Machine) bool { return m.Name == node })
}
