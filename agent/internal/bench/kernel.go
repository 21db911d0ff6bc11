package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
)

// kernelRows moves a port of 48 between two VRFs: by the planner's steps against the same requests by themselves, and against
// ifupdown2 with the port's stanza changed.
func kernelRows(h *harness, o options) []Measured {
	h.must(os.WriteFile(interfacesFile, []byte(interfaces(moveVRFs[0])), 0o644))
	h.addPorts()
	h.run("ifreload", "-a")
	k := newKernelBench(h)
	return []Measured{k.againstNetlink(50 * o.pairs), k.againstReload(o.pairs)}
}

// addPorts adds ports, each with a far end. At the end they and the VRFs are taken away: another part has its own.
func (h *harness) addPorts() {
	for i := range ports {
		h.ip("", fmt.Sprintf("link add swp%d type veth peer name m%d", i+1, i+1))
	}
	h.Cleanup(func() {
		for i := range ports {
			h.ip("", fmt.Sprintf("link del swp%d", i+1))
		}
		links, err := netlink.LinkList()
		h.must(err)
		for _, l := range links {
			if l.Type() == "vrf" {
				h.must(netlink.LinkDel(l))
			}
		}
	})
}

var moveVRFs = [2]string{"Vrf1001", "Vrf1002"}

// interfaces is the file of ifupdown2, with the first port in a VRF.
func interfaces(vrf string) string {
	var text strings.Builder
	text.WriteString("auto lo\niface lo inet loopback\n")
	for i, name := range moveVRFs {
		fmt.Fprintf(&text, "\nauto %s\niface %s\n  vrf-table %d\n", name, name, 1001+i)
	}
	for i := range ports {
		fmt.Fprintf(&text, "\nauto swp%d\niface swp%d\n", i+1, i+1)
		switch i {
		case 0:
			fmt.Fprintf(&text, "  vrf %s\n", vrf)
		default:
			fmt.Fprintf(&text, "  vrf %s\n", moveVRFs[i%2])
		}
	}
	return text.String()
}

type kernelBench struct {
	*harness
	system *linux.System
	handle *netlink.Handle
	port   netlink.Link
	vrfs   [2]netlink.Link
}

func newKernelBench(h *harness) *kernelBench {
	k := &kernelBench{harness: h}
	var err error
	k.system, err = linux.New(linux.Options{FRR: frrsystem.New(frrsystem.Options{Dir: "/nonexistent"})}) // no step here is FRR's
	h.must(err)
	h.Cleanup(k.system.Close)
	k.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	h.must(err)
	h.Cleanup(k.handle.Close)
	k.port, err = k.handle.LinkByName(moving)
	h.must(err)
	for i, name := range moveVRFs {
		k.vrfs[i], err = k.handle.LinkByName(name)
		h.must(err)
	}
	return k
}

// byPlan moves the port by the planner's steps.
func (k *kernelBench) byPlan(to int) time.Duration {
	of := plan.For{moving}
	begin := time.Now()
	results := k.system.Apply(k.ctx, []plan.Op{
		plan.SetUp{Device: moving, Up: false, For: of}, plan.SetMaster{Device: moving, From: moveVRFs[1-to], To: moveVRFs[to], For: of},
		plan.SetUp{Device: moving, Up: true, For: of},
	})
	took := time.Since(begin)
	for _, r := range results {
		k.must(r.Err)
	}
	k.isIn(to)
	return took
}

// bare makes the same three requests of the kernel.
func (k *kernelBench) bare(to int) time.Duration {
	begin := time.Now()
	down, move, up := k.handle.LinkSetDown(k.port), k.handle.LinkSetMasterByIndex(k.port, k.vrfs[to].Attrs().Index), k.handle.LinkSetUp(k.port)
	took := time.Since(begin)
	k.must(down, move, up)
	k.isIn(to)
	return took
}

func (k *kernelBench) isIn(vrf int) {
	link, err := k.handle.LinkByName(moving)
	k.must(err)
	if link.Attrs().MasterIndex != k.vrfs[vrf].Attrs().Index {
		k.Fatalf("%s is not in %s", moving, moveVRFs[vrf])
	}
}

func (k *kernelBench) againstNetlink(pairs int) Measured {
	var ours, peer []time.Duration
	for range pairs {
		ours, peer = append(ours, k.byPlan(1)), append(peer, k.bare(0))
	}
	return newRow("kernel-port-move", len(moveVRFs), "bare netlink", ours, peer)
}

func (k *kernelBench) againstReload(pairs int) Measured {
	var ours, peer []time.Duration
	for range pairs {
		ours = append(ours, k.byPlan(1))
		k.must(os.WriteFile(interfacesFile, []byte(interfaces(moveVRFs[0])), 0o644))
		begin := time.Now()
		k.run("ifreload", "-a")
		peer = append(peer, time.Since(begin))
		k.isIn(0)
	}
	return newRow("kernel-port-move", len(moveVRFs), "ifreload -a", ours, peer)
}
