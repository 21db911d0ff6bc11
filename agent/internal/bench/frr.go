package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// parts of the benchmark, each run by itself.
var parts = map[string]func(*harness, options) []Measured{"frr": frrRows, "session": sessionRows, "kernel": kernelRows, "cumulus": cumulusRows}

const (
	withReload = "dry run and frr-reload.py"
	ports      = 48
	moving     = "swp1"
)

// bench is FRR, with a leaf's configuration in it, and the two ways to change it.
type bench struct {
	*harness
	client  *frrsystem.Client
	version string
}

// frrRows measures FRR's part of a change at growing numbers of VRFs. The configuration is loaded by deltas, each once.
func frrRows(h *harness, o options) []Measured {
	b := newFRR(h, "")
	var rows []Measured
	for _, n := range o.vrfs {
		begin := time.Now()
		b.become(b.config(n, 0, false))
		h.Logf("%d VRFs and %d ports loaded in %v", n, ports, time.Since(begin).Round(time.Millisecond))
		rows = append(rows, b.portMove(n, o.pairs), b.newVRF(n, o.pairs))
	}
	return rows
}

// config is a leaf of 48 ports with n VRFs, a machine on each port but the last. The machine on the first is in the VRF of that number;
// the last port's has a VRF of its own, if it is there.
func (b *bench) config(n, vrf int, another bool) frr.Config {
	in := frrtemplates.Input{
		Hostname: "leaf1", Role: netmodel.RoleLeaf, ASN: uint32(netmodel.FirstSwitchASN) + 1, RouterID: netip.MustParseAddr("10.0.0.1"),
		Uplinks: []string{"swp49", "swp50"},
	}
	for i := range n {
		in.VRFs = append(in.VRFs, tenant(i))
	}
	for i := range ports {
		in.MachinePorts = append(in.MachinePorts, fmt.Sprintf("swp%d", i+1))
		at := i % n
		if i == 0 {
			at = vrf
		}
		if i < ports-1 {
			in.VRFs[at].Neighbours = append(in.VRFs[at].Neighbours, machine(i))
		}
	}
	if another {
		last := tenant(n)
		last.Neighbours = append(last.Neighbours, machine(ports-1))
		in.VRFs = append(in.VRFs, last)
	}
	text, err := frrtemplates.Render(in)
	b.must(err)
	config, err := frr.Parse(text)
	b.must(err)
	return config
}

func tenant(i int) frrtemplates.VRF {
	vni := netmodel.FirstVNI + netmodel.VNI(i)
	return frrtemplates.VRF{Name: netmodel.VRFName(vni), VNI: vni}
}

func machine(i int) frrtemplates.Neighbour {
	return frrtemplates.Neighbour{
		Port: fmt.Sprintf("swp%d", i+1), ASN: netmodel.FirstMachineASN + netmodel.ASN(i), MaximumPrefix: 2,
		Grants: []netmodel.Grant{
			{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 32)},
			{Prefix: netip.MustParsePrefix(fmt.Sprintf("fd00:1::%x/128", i+1))},
		},
	}
}

// running is what FRR runs.
func (b *bench) running() frr.Config {
	config, err := b.client.Running(b.ctx)
	b.must(err)
	return config
}

// become makes FRR run want, whatever it takes: what is refused while FRR is still about something else is sent again.
func (b *bench) become(want frr.Config) {
	var errs []error
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		changes := frr.Diff(b.running(), want)
		if len(changes) == 0 {
			return
		}
		errs = b.client.Apply(b.ctx, changes)
	}
	b.must(errs...)
	b.Fatal("FRR does not come to run what it was told")
}

// ours sends the delta and reads the changed neighbour back.
func (b *bench) ours(changes []frr.Change, vrf, port string) time.Duration {
	begin := time.Now()
	errs := b.client.Apply(b.ctx, changes)
	session, err := b.client.Session(b.ctx, vrf, port)
	took := time.Since(begin)
	b.must(append(errs, err)...)
	if session.State == "" {
		b.Fatalf("after the delta, %s has no neighbour in %s", port, vrf)
	}
	return took
}

// reload is what others do: the whole text, a dry run, frr-reload.py.
func (b *bench) reload(before frr.Config, want frr.Config, vrf, port string) time.Duration {
	text := frr.Carry(before, want).String()
	begin := time.Now()
	err := b.client.Reload(b.ctx, text)
	took := time.Since(begin)
	b.must(err)
	session, err := b.client.Session(b.ctx, vrf, port)
	b.must(err)
	if session.State == "" {
		b.Fatalf("after the reload, %s has no neighbour in %s", port, vrf)
	}
	return took
}

// portMove moves the machine on one port to another VRF and back, one way by us and the other by the peer.
func (b *bench) portMove(n, pairs int) Measured {
	states := []frr.Config{b.config(n, 0, false), b.config(n, 1, false)}
	var ours, peer, whole []time.Duration
	for range pairs {
		before := b.running()
		ours = append(ours, b.ours(frr.Diff(before, states[1]), tenant(1).Name, moving))
		begin := time.Now()
		before = b.running()
		whole = append(whole, time.Since(begin))
		b.isNow(before, states[1])
		peer = append(peer, b.reload(before, states[0], tenant(0).Name, moving))
		b.isNow(b.running(), states[0])
	}
	row := newRow("frr-port-move", n, withReload, ours, peer)
	row.FRR, row.Also = b.version, map[string][]float64{"reading all of FRR's configuration": milliseconds(whole)}
	for range pairs {
		b.profile(row.Also, frr.Diff(b.running(), states[1]), tenant(1).Name, moving)
		b.profile(row.Also, frr.Diff(b.running(), states[0]), tenant(0).Name, moving)
	}
	return row
}

// profile makes a change line by line, and notes what each line and the neighbour's reading take.
func (b *bench) profile(times map[string][]float64, changes []frr.Change, vrf, port string) {
	note := func(what string, begin time.Time) {
		times[what] = append(times[what], milliseconds([]time.Duration{time.Since(begin)})...)
	}
	for _, c := range changes {
		begin := time.Now()
		errs := b.client.Apply(b.ctx, []frr.Change{c})
		note("line by line: "+c.Line, begin)
		b.must(errs...)
	}
	begin := time.Now()
	_, err := b.client.Session(b.ctx, vrf, port)
	note("reading the neighbour", begin)
	b.must(err)
}

// newVRF makes a VRF with a machine and its filters, in turns by us and by the peer. It is taken away by us.
func (b *bench) newVRF(n, pairs int) Measured {
	without, with := b.config(n, 0, false), b.config(n, 0, true)
	last := fmt.Sprintf("swp%d", ports)
	var ours, peer []time.Duration
	for range pairs {
		ours = append(ours, b.ours(frr.Diff(b.running(), with), tenant(n).Name, last))
		b.isNow(b.running(), with)
		b.become(without)
		peer = append(peer, b.reload(b.running(), with, tenant(n).Name, last))
		b.isNow(b.running(), with)
		b.become(without)
	}
	row := newRow("frr-new-vrf", n, withReload, ours, peer)
	row.FRR, row.Also = b.version, map[string][]float64{}
	for range pairs {
		b.profileParts(row.Also, frr.Diff(b.running(), with), tenant(n).Name, last)
		b.become(without)
	}
	return row
}

// profileParts makes a change as it is made, but one part of the configuration after the other, and notes what each and the neighbour's
// reading take. Filters are one part, as they are sent in one batch.
func (b *bench) profileParts(times map[string][]float64, changes []frr.Change, vrf, port string) {
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && partOf(changes[to]) == partOf(changes[from]) {
			to++
		}
		what := fmt.Sprintf("part by part: %s, %d lines", partOf(changes[from]), to-from)
		begin := time.Now()
		errs := b.client.Apply(b.ctx, changes[from:to])
		times[what] = append(times[what], milliseconds([]time.Duration{time.Since(begin)})...)
		b.must(errs...)
		from = to
	}
	begin := time.Now()
	_, err := b.client.Session(b.ctx, vrf, port)
	times["reading the neighbour"] = append(times["reading the neighbour"], milliseconds([]time.Duration{time.Since(begin)})...)
	b.must(err)
}

// partOf is the kind of context that a change is in or makes.
func partOf(c frr.Change) string {
	first := c.Line
	if len(c.Context) > 0 {
		first = c.Context[0]
	}
	first = strings.TrimPrefix(first, "no ")
	if frr.IsOwnFilter(first) {
		return "filters"
	}
	kind, _, _ := strings.Cut(first, " ")
	return kind
}

// isNow ends the part if FRR runs something else: neither way may be fast by leaving something out.
func (b *bench) isNow(have, want frr.Config) {
	if left := frr.Diff(have, want); len(left) > 0 {
		b.Fatalf("FRR lacks %v", left)
	}
}
