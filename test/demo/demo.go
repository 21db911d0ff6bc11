// Package demo is what `make demo` shows: the main job on a real fabric, from discovery to release, each claim checked as it is
// made. It works as a user does: by pointsmanctl, and by ping from machines.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// packet is the size of the pings between machines, in bytes: jumbo frames must cross the fabric whole.
const packet = 8900

// Limit is how long the demo may take on a host that is not busy with something else.
const Limit = 5 * time.Minute

// demo carries out steps until one fails.
type demo struct {
	f      *fabric.Fabric
	out    io.Writer
	start  time.Time
	failed error
}

// Run boots a fabric, shows the main job on it and ends it, all within the limit. Its error says what did not hold.
func Run(ctx context.Context, o fabric.Options, limit time.Duration, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := &demo{out: out, start: time.Now()}
	if o.Topology == nil {
		o.Topology = lab.Default()
	}
	d.title("A fabric: %s", describe(o.Topology))
	d.f, err = fabric.Up(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.f.Down()) }()
	d.scenario(ctx)
	if d.failed != nil {
		fmt.Fprintf(out, "\n✗ %v\n", d.failed)
		diagnosis, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		d.f.Diagnose(diagnosis, out, "leaf01", "leaf03", "spine01", "machine01")
		return d.failed
	}
	fmt.Fprintf(out, "\nAll of it held, in %.0f s from nothing.\n", time.Since(d.start).Seconds())
	return nil
}

func (d *demo) scenario(ctx context.Context) {
	d.ctl(ctx, "switch", "list")
	d.ctl(ctx, "machine", "list")

	d.title("Two users' networks, carved from one pool")
	d.ctl(ctx, "network", "create", "tenants", "--kind", "pool", "--prefix", "10.64.0.0/12", "--prefix", "fd64::/48",
		"--default-ipv4-length", "24", "--default-ipv6-length", "64")
	d.ctl(ctx, "network", "create", "blue", "--pool", "tenants")
	d.ctl(ctx, "network", "create", "green", "--pool", "tenants")

	d.title("Machines for both, in both racks; machine03 stays unallocated")
	for _, a := range []struct{ id, network, machine string }{
		{"blue-1", "blue", "machine01"}, {"blue-2", "blue", "machine04"}, {"green-1", "green", "machine02"}, {"green-2", "green", "machine05"},
	} {
		d.ctl(ctx, "allocate", "--network", a.network, "--machine", a.machine, "--id", a.id, "--wait")
	}
	if d.failed != nil {
		return
	}
	blue1, blue2 := d.allocation(ctx, "blue-1"), d.allocation(ctx, "blue-2")
	green1, green2 := d.allocation(ctx, "green-1"), d.allocation(ctx, "green-2")

	d.title("Reachable: %d-byte packets, unfragmented, between racks, over both leaves", packet)
	d.reaches(ctx, "machine01", blue1, blue2)
	d.reaches(ctx, "machine04", blue2, blue1)
	d.reaches(ctx, "machine02", green1, green2)
	d.bothLeaves(ctx, "machine01", "leaf03", blue2, blue1)
	d.bothLeaves(ctx, "machine04", "leaf01", blue1, blue2)

	d.title("And nowhere else")
	d.reachesNot(ctx, "machine02 (green) does not reach blue", "machine02", green1, blue1, blue2)
	d.unallocatedReachesNothing(ctx, blue1, green1)

	d.title("Moved, in one transaction: same machine, same ASN, other network")
	d.ctl(ctx, "move", "blue-2", "--network", "green", "--wait")
	moved := d.allocation(ctx, "blue-2")
	d.check("ASN %d stays", func() error {
		if moved.GetAsn() != blue2.GetAsn() {
			return fmt.Errorf("it became %d", moved.GetAsn())
		}
		return nil
	}, blue2.GetAsn())
	d.reaches(ctx, "machine04", moved, green1)
	d.reachesNot(ctx, "machine04 (green now) does not reach blue", "machine04", moved, blue1)

	d.title("Released: free again when both leaves have proven it")
	for _, id := range []string{"blue-1", "blue-2", "green-1", "green-2"} {
		d.ctl(ctx, "release", id, "--wait")
	}
	d.ctl(ctx, "machine", "list")
}

func (d *demo) title(format string, args ...any) {
	if d.failed == nil {
		fmt.Fprintf(d.out, "\n— "+format+"\n", args...)
	}
}

// ctl shows a command and what it prints.
func (d *demo) ctl(ctx context.Context, args ...string) {
	if d.failed != nil {
		return
	}
	fmt.Fprintf(d.out, "$ pointsmanctl %s\n", strings.Join(args, " "))
	d.failed = d.f.CtlTo(ctx, d.out, args...)
}

// check says what must hold and whether it does.
func (d *demo) check(what string, held func() error, args ...any) {
	if d.failed != nil {
		return
	}
	text := fmt.Sprintf(what, args...)
	if err := held(); err != nil {
		d.failed = fmt.Errorf("%s: %w", text, err)
		return
	}
	fmt.Fprintf(d.out, "✓ %s\n", text)
}

func (d *demo) allocation(ctx context.Context, id string) *apiv1.Allocation {
	if d.failed != nil {
		return nil
	}
	text, err := d.f.Ctl(ctx, "allocation", "get", id, "-o", "json")
	if err != nil {
		d.failed = err
		return nil
	}
	var a apiv1.Allocation
	d.failed = protojson.Unmarshal([]byte(text), &a)
	return &a
}

// addresses are an allocation's own, IPv4 first.
func addresses(a *apiv1.Allocation) []netip.Addr {
	var out []netip.Addr
	for _, attachment := range a.GetAttachments() {
		for _, text := range attachment.Addresses {
			if addr, err := netip.ParseAddr(text); err == nil {
				out = append(out, addr)
			}
		}
	}
	return out
}

func (d *demo) reaches(ctx context.Context, node string, from, to *apiv1.Allocation) {
	for _, target := range addresses(to) {
		d.check("%s reaches %s (%s)", func() error {
			return d.f.Reach(ctx, node, fabric.Ping{To: target, From: sameFamily(from, target), Size: packet})
		}, node, target, to.GetMachine())
	}
}

// reachesNot pings with the sender's own addresses and default route; that it reaches its own network is the control.
func (d *demo) reachesNot(ctx context.Context, what, node string, from *apiv1.Allocation, others ...*apiv1.Allocation) {
	for _, other := range others {
		for _, target := range addresses(other) {
			d.check("%s: %s", func() error {
				return d.silent(ctx, node, fabric.Ping{To: target, From: sameFamily(from, target), Count: 2})
			}, what, target)
		}
	}
}

func (d *demo) silent(ctx context.Context, node string, p fabric.Ping) error {
	r, err := d.f.Ping(ctx, node, p)
	if err == nil && r.Received != 0 {
		err = fmt.Errorf("%d of %d packets came back", r.Received, r.Sent)
	}
	return err
}

func sameFamily(a *apiv1.Allocation, target netip.Addr) netip.Addr {
	for _, own := range addresses(a) {
		if own.Is4() == target.Is4() {
			return own
		}
	}
	return netip.Addr{}
}

// bothLeaves asserts the two next hops at either end: the machine's default route over both uplinks, and the remote leaf's
// route over both of the machine's leaves.
func (d *demo) bothLeaves(ctx context.Context, node, remoteLeaf string, remote, local *apiv1.Allocation) {
	for _, target := range addresses(local) {
		family := fabric.Family(target)
		d.check("%s's default route (%s) goes over both uplinks", func() error {
			return d.hops(ctx, node, 2, family, "default")
		}, node, family)
		d.check("%s has %s over both leaves of its rack", func() error {
			vrf, err := d.vrf(ctx, local)
			if err != nil {
				return err
			}
			return d.hops(ctx, remoteLeaf, 2, family, "vrf", vrf, target.String())
		}, remoteLeaf, target)
	}
}

func (d *demo) hops(ctx context.Context, node string, want int, family string, args ...string) error {
	routes, err := d.f.Routes(ctx, node, family, args...)
	if err != nil {
		return err
	}
	if len(routes) != 1 || len(routes[0].NextHops) != want {
		return fmt.Errorf("want one route with %d next hops, have %+v", want, routes)
	}
	return nil
}

func (d *demo) vrf(ctx context.Context, a *apiv1.Allocation) (string, error) {
	n, err := d.f.API.Networks.GetNetwork(ctx, &apiv1.GetNetworkRequest{Project: fabric.Project, Id: a.GetAttachments()[0].Network})
	return n.GetVrf(), err
}

// unallocatedReachesNothing gives an unallocated machine an address in its leaf's provisioning network and default routes of
// its own making. That it reaches its leaf's address there is the control.
func (d *demo) unallocatedReachesNothing(ctx context.Context, others ...*apiv1.Allocation) {
	const node = "machine03"
	gateway := netip.MustParseAddr(fabric.ProvisioningAddress(1))
	script := fmt.Sprintf(`ip address add %s/24 dev lan0 && ip route add default via %s dev lan0 && ip -6 route add default via "$(ip -6 neigh show dev lan0 router | awk 'NR==1{print $1}' | grep . || echo fe80::1)" dev lan0`, strings.TrimSuffix(gateway.String(), ".1")+".9", gateway)
	if d.failed != nil {
		return
	}
	if _, err := d.f.Lab.Run(ctx, node, "sh", "-c", script); err != nil {
		d.failed = err
		return
	}
	d.check("%s (unallocated) reaches its leaf in the provisioning network %s: the control", func() error {
		return fabric.Eventually(ctx, 200*time.Millisecond, func() error {
			r, err := d.f.Ping(ctx, node, fabric.Ping{To: gateway, Count: 2})
			if err == nil && r.Received == 0 {
				err = fmt.Errorf("%d of %d packets came back", r.Received, r.Sent)
			}
			return err
		})
	}, node, gateway)
	for _, other := range others {
		for _, target := range addresses(other) {
			d.check("%s (unallocated) does not reach %s (%s)", func() error { return d.silent(ctx, node, fabric.Ping{To: target, Count: 2}) }, node, target, other.GetMachine())
		}
	}
	if _, err := d.f.Lab.Run(ctx, node, "sh", "-c", "ip address flush dev lan0 scope global; ip -6 route del default dev lan0; true"); err != nil && d.failed == nil {
		d.failed = err
	}
}
