package allocate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pointsman/pointsman/controlplane/internal/allocate"
	"github.com/pointsman/pointsman/controlplane/internal/compile"
	"github.com/pointsman/pointsman/controlplane/internal/compiler"
	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/inventory"
	"github.com/pointsman/pointsman/controlplane/internal/network"
	"github.com/pointsman/pointsman/controlplane/internal/receipt"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/test/simswitch"
)

var call = store.Call{Caller: "test", Method: "Test"}

// replica is one control plane's services.
type replica struct {
	st          *store.Store
	inventory   *inventory.Service
	networks    *network.Service
	allocations *allocate.Service
	receipts    *receipt.Service
}

func start(t testing.TB, endpoint string, quarantine time.Duration) *replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &replica{}
	var c *compiler.Compiler
	r.st = etcdtest.Store(t, endpoint, func(st *store.Store) {
		r.inventory = inventory.New(st, inventory.Options{AutoAdopt: true, Log: log})
		r.networks, r.allocations = network.New(st, quarantine), allocate.New(st, quarantine)
		r.receipts = receipt.New(st, log)
		c = compiler.New(st, log)
	})
	for _, run := range []func(context.Context) error{c.Run, r.inventory.Run, r.receipts.Run} {
		etcdtest.Background(t, run)
	}
	return r
}

// fabric is a spine over racks of two leaves, played by simulated switches, with machines that are adopted and free.
type fabric struct {
	*replica
	switches map[string]*simswitch.Switch
	machines int
}

func (f *fabric) up(t testing.TB, sw netmodel.Switch) {
	t.Helper()
	if _, err := f.inventory.CreateSwitch(t.Context(), call, sw); err != nil {
		t.Fatal(err)
	}
	f.boot(t, sw.ID)
}

func (f *fabric) boot(t testing.TB, id string) {
	t.Helper()
	sim, err := simswitch.Start(t.Context(), f.st.Client(), id)
	if err != nil {
		t.Fatal(err)
	}
	f.switches[id] = sim
	t.Cleanup(func() {
		if err := sim.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func build(t testing.TB, r *replica, racks, perRack int) *fabric {
	t.Helper()
	f := &fabric{replica: r, switches: map[string]*simswitch.Switch{}, machines: racks * perRack}
	f.up(t, netmodel.Switch{ID: "spine01", Role: netmodel.RoleSpine, Loopback: netip.MustParseAddr("10.255.1.1")})
	for n := 1; n <= 2*racks; n++ {
		sw := netmodel.Switch{
			ID: fmt.Sprintf("leaf%02d", n), Role: netmodel.RoleLeaf, Rack: fmt.Sprintf("rack%d", (n+1)/2), Loopback: netip.AddrFrom4([4]byte{10, 255, 0, byte(n)}),
			Provisioning: netmodel.Provisioning{VLAN: 4000, Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 254, byte(n), 1}), 24)}},
		}
		for p := 1; p <= perRack; p++ {
			sw.Ports = append(sw.Ports, netmodel.SwitchPort{Name: fmt.Sprintf("swp%d", p), Role: netmodel.PortMachine})
		}
		f.up(t, sw)
		for p := 1; p <= perRack; p++ {
			m := (n-1)/2*perRack + p
			mac := fmt.Sprintf("02:00:00:%02x:%02x:%02x", m>>8, m&0xff, 1+(n-1)%2)
			if err := f.switches[sw.ID].Hear(t.Context(), fmt.Sprintf("swp%d", p), simswitch.Machine(fmt.Sprintf("machine%02d", m), fmt.Sprintf("02:00:00:%02x:%02x:00", m>>8, m&0xff), mac)); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.allFree(t)
	return f
}

func (f *fabric) allFree(t testing.TB) {
	t.Helper()
	etcdtest.Eventually(t, func() error {
		if free := f.inventory.ListMachines(netmodel.MachineFree, ""); len(free) != f.machines {
			return fmt.Errorf("%d of %d machines are free; faulty: %+v", len(free), f.machines, f.inventory.ListMachines(netmodel.MachineFaulty, ""))
		}
		return nil
	})
}

func (r *replica) network(t testing.TB, id string, prefixes ...string) netmodel.Network {
	t.Helper()
	request := network.CreateRequest{Project: "default", ID: id}
	for _, p := range prefixes {
		request.Prefixes = append(request.Prefixes, netip.MustParsePrefix(p))
	}
	n, err := r.networks.Create(t.Context(), call, request)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func in(network string) []netmodel.Attachment { return []netmodel.Attachment{{Network: network}} }

// allocate allocates any machine in a network, or the one that is named.
func (r *replica) allocate(t testing.TB, network, machine string) netmodel.AllocationView {
	t.Helper()
	a, err := r.allocations.Create(t.Context(), call, allocate.Request{Project: "default", Machine: machine, Attachments: in(network)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func refused(t testing.TB, err error, kind store.Kind, says ...string) {
	t.Helper()
	var r *store.Refusal
	if !errors.As(err, &r) || r.Kind != kind {
		t.Errorf("got %v, want a refusal of kind %d", err, kind)
		return
	}
	for _, s := range says {
		if !strings.Contains(r.Text, s) {
			t.Errorf("%q does not say %q", r.Text, s)
		}
	}
}

// reached waits until an allocation's receipt is complete.
func (r *replica) reached(t testing.TB, id string) netmodel.ReceiptView {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var last netmodel.ReceiptView
	err := r.receipts.Watch(ctx, "default", id, false, func(v netmodel.ReceiptView) error { last = v; return nil })
	if err != nil {
		t.Fatalf("%s: %v, waiting for %v", id, err, last.WaitingFor)
	}
	return last
}

// consistent asserts that machines, addresses, ASNs, receipts and intents are held by exactly the allocations that there are.
func consistent(t testing.TB, st *store.Store) {
	t.Helper()
	if err := st.Linearize(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wrong []string
	st.Read(func(d *store.Data) { wrong = contradictions(d) })
	slices.Sort(wrong)
	for _, w := range wrong {
		t.Error(w)
	}
}

func contradictions(d *store.Data) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	ports := map[store.Port]string{}
	for k, o := range d.Allocations {
		a := o.Value
		if m := d.Machines.Value(a.Machine); m.Allocation != a.ID || m.Project != k.Project || len(m.PendingRelease) > 0 {
			say("allocation %s has machine %s, which says %+v", a.ID, a.Machine, m)
		}
		if held := d.ASNs.Value(a.ASN); held.Allocation != a.ID || held.State != netmodel.IPHeld {
			say("allocation %s has ASN %d, which says %+v", a.ID, a.ASN, held)
		}
		if r := d.Receipts.Value(a.ID); r.Generation != a.Generation || r.Machine != a.Machine || len(r.Stamps) == 0 {
			say("allocation %s at generation %d has receipt %+v", a.ID, a.Generation, r)
		}
		n, ok := d.Network(a.Project, a.Attachments[0].Network)
		if !ok || len(a.Ports) != 2 {
			say("allocation %s: network %v, ports %v", a.ID, ok, a.Ports)
		}
		for _, address := range a.Attachments[0].Addresses {
			if ip := d.IPs.Value(store.Address{Network: n.Value.ID, Address: address}); ip.Allocation != a.ID || ip.State != netmodel.IPHeld {
				say("allocation %s has %s, which says %+v", a.ID, address, ip)
			}
		}
		for _, p := range a.Ports {
			at := store.Port{Switch: p.Switch, Port: p.Port}
			if other, taken := ports[at]; taken {
				say("%v is held by %s and %s", at, other, a.ID)
			}
			ports[at] = a.ID
			if i := d.Intents.Value(at); !compile.SamePort(i, compile.Port(p.Switch, p.Port, &a, &n.Value)) || i.Generation != p.Generation {
				say("allocation %s: intent %+v at generation %d", a.ID, i, p.Generation)
			}
		}
	}
	return append(wrong, leaks(d, ports)...)
}

// leaks are what says that an allocation holds it, which none does.
func leaks(d *store.Data, ports map[store.Port]string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	exists := func(id string) bool { _, ok := d.Allocations[store.Named{Project: "default", ID: id}]; return ok }
	for id, m := range d.Machines {
		if m.Value.Allocation != "" && !exists(m.Value.Allocation) {
			say("machine %s is held by allocation %s, which does not exist", id, m.Value.Allocation)
		}
	}
	for k, o := range d.IPs {
		ip := o.Value
		if ip.State == netmodel.IPHeld && (ip.Allocation != "" || ip.Kind == netmodel.IPEphemeral) && !exists(ip.Allocation) {
			say("address %v leaked: %+v", k, ip)
		}
		if ip.State == netmodel.IPQuarantined && ip.Allocation != "" {
			say("address %v rests, but is held: %+v", k, ip)
		}
	}
	for n, o := range d.ASNs {
		if o.Value.State == netmodel.IPHeld && !exists(o.Value.Allocation) {
			say("ASN %d leaked: %+v", n, o.Value)
		}
	}
	for id := range d.Receipts {
		if !exists(id) {
			say("receipt of %s, which does not exist", id)
		}
	}
	for at, o := range d.Intents {
		if (o.Value.Mode == netmodel.ModeVRF) != (ports[at] != "") || o.Value.Allocation != ports[at] {
			say("intent of %v is %+v, held by %q", at, o.Value, ports[at])
		}
	}
	return wrong
}
