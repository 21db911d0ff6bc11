package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const interfacesFile = "/etc/network/interfaces"

// cumulusRows changes the VRF of one port of 48 on a switch that ifupdown2 keeps: by a pass of ours, which is done when the kernel is, and then
// has the file to write, against the same file written first and `ifreload -a`.
func cumulusRows(h *harness, o options) []Measured {
	h.must(os.WriteFile(interfacesFile, []byte("auto lo\niface lo inet loopback\n"), 0o644))
	h.addPorts()
	c := &cumulusBench{harness: h}
	var err error
	c.system, err = cumulus.New(cumulus.Options{
		Options: linux.Options{FRR: frrsystem.New(frrsystem.Options{Dir: "/nonexistent"})}, // no step here is FRR's
		Run:     c.noProof,
	})
	h.must(err)
	h.Cleanup(c.system.Close)
	c.become(0)
	h.run("ifreload", "-a") // what it finds to do at its first run is not the port's change
	return []Measured{c.portChange(o.pairs)}
}

type cumulusBench struct {
	*harness
	system *cumulus.System
}

// noProof: the switch proves its file by itself, later. Here that is asked for where it is measured.
func (*cumulusBench) noProof(context.Context, string, ...string) ([]byte, error) { return nil, nil }

// observe reads the switch, and returns it with what it must be for the port to be in a VRF.
func (c *cumulusBench) observe(vrf int) (observed, desired plan.State) {
	observed, err := c.system.Observe(c.ctx)
	c.must(err)
	observed.Unknown = append(observed.Unknown, plan.PartFRR, plan.PartFRRSaved)
	desired.Kernel = observed.Kernel
	desired.Kernel.VRFs, desired.Kernel.Ports = map[string]plan.VRF{}, maps.Clone(observed.Kernel.Ports)
	for i := range moveVRFs {
		desired.Kernel.VRFs[benchVRF(i)] = plan.VRF{Table: uint32(1001 + i), Up: true}
	}
	for i := range ports {
		at := i % len(moveVRFs)
		if i == 0 {
			at = vrf
		}
		name := fmt.Sprintf("swp%d", i+1)
		p := desired.Kernel.Ports[name]
		p.Up, p.MTU, p.Master = true, 9216, benchVRF(at)
		desired.Kernel.Ports[name] = p
	}
	return observed, desired
}

func benchVRF(i int) string { return netmodel.VRFName(netmodel.FirstVNI + netmodel.VNI(i)) }

// become makes the switch what it must be, from whatever it is.
func (c *cumulusBench) become(vrf int) {
	var left []plan.Op
	for range 5 {
		observed, desired := c.observe(vrf)
		if left = plan.Diff(observed, desired); len(left) == 0 {
			return
		}
		c.apply(left)
	}
	c.Fatalf("the switch does not come to rest: %v", left)
}

func (c *cumulusBench) apply(ops []plan.Op) {
	for _, r := range c.system.Apply(c.ctx, ops) {
		c.must(r.Err)
	}
}

// ours moves the port as a pass does, and returns when the port was in its VRF, when the file said so, and when ifquery agreed, each from
// the beginning of the steps. To find them is the observation's: it is measured by itself.
func (c *cumulusBench) ours(vrf int) (observing, working, saved, agreed time.Duration) {
	begin := time.Now()
	ops := plan.Diff(c.observe(vrf))
	observing = time.Since(begin)
	last := len(ops) - 1
	if _, ok := ops[max(0, last)].(plan.SaveKernel); !ok || last == 0 {
		c.Fatalf("a port's change is %v", ops)
	}
	begin = time.Now()
	c.apply(ops[:last])
	working = time.Since(begin)
	c.apply(ops[last:])
	saved = time.Since(begin)
	c.run("ifquery", "--check", moving)
	agreed = time.Since(begin)
	if left := plan.Diff(c.observe(vrf)); len(left) > 0 {
		c.Fatalf("after a port's change there is more to do: %v", left)
	}
	return observing, working, saved, agreed
}

func (c *cumulusBench) portChange(pairs int) Measured {
	const other = 1
	before, err := os.ReadFile(interfacesFile)
	c.must(err)
	var ours, peer, observing, saved, agreed []time.Duration
	for range pairs {
		o, w, s, a := c.ours(other)
		ours, observing, saved, agreed = append(ours, w), append(observing, o), append(saved, s), append(agreed, a)
		c.must(os.WriteFile(interfacesFile, before, 0o644))
		begin := time.Now()
		c.run("ifreload", "-a")
		peer = append(peer, time.Since(begin))
		if left := plan.Diff(c.observe(0)); slices.ContainsFunc(left, func(op plan.Op) bool { _, ok := op.(plan.SetMaster); return ok }) {
			c.Fatalf("after ifreload a port is elsewhere: %v", left)
		}
		c.become(0)
	}
	row := newRow("cumulus-port-change", len(moveVRFs), "ifreload -a", ours, peer)
	row.Also = map[string][]float64{
		"finding what to do": milliseconds(observing), "until the file says so": milliseconds(saved), "until ifquery --check agrees": milliseconds(agreed),
	}
	row.FileSync = median(milliseconds(saved))
	return row
}
