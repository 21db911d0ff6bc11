package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/simswitch"
)

// How much four control planes hand out.
const (
	controlPlanes  = 4
	callers        = 12
	numbersWanted  = 10000
	racks, perRack = 2, 16
	killEvery      = 1500 * time.Millisecond
	handOutLimit   = 4 * time.Minute
)

// TestControlPlanesAreKilled: four control planes on one etcd hand out addresses, ASNs and machines and take them back, in random
// order, while one after the other is killed and started again. Callers repeat a call that failed under its request id at another
// control plane until it is answered, so that each knows what it holds. None is handed out twice, and none is lost.
func TestControlPlanesAreKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*handOutLimit)
	defer cancel()
	endpoint := startEtcd(t)
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c := &cluster{binary: filepath.Join(binaries(t), "pointsman-controlplane"), dir: t.TempDir(), etcd: endpoint}
	for i := range controlPlanes {
		if err := c.start(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.stop)
	machines := c.rack(ctx, t, store)
	if _, err := c.api(0).CreatePrivateNetwork(ctx, "crowd", "10.8.0.0/18", "fd08::/64"); err != nil {
		t.Fatal(err)
	}

	l := &holdings{held: map[string]string{}}
	c.handOut(ctx, t, l)
	t.Logf("%d numbers handed out: %d static addresses, %d machines with an ASN and two addresses each; %d control planes killed, %d calls repeated",
		l.numbers, l.addresses, l.allocations, c.kills.Load(), c.repeats.Load())
	if l.numbers < numbersWanted || l.allocations < 100 || c.kills.Load() < 5 || c.repeats.Load() == 0 {
		t.Error("that is too little to prove anything")
	}
	l.compare(ctx, t, store)
	c.giveBack(ctx, t, l)
	if err := fabric.Eventually(ctx, 100*time.Millisecond, func() error { return nothingHeld(ctx, store, machines) }); err != nil {
		t.Error(err)
	}
}

// startEtcd runs an etcd that nobody kills. It writes without fsync: what is tried here is its clients.
func startEtcd(t *testing.T) string {
	t.Helper()
	conf := embed.NewConfig()
	conf.Dir, conf.LogLevel, conf.UnsafeNoFsync = t.TempDir(), "fatal", true
	free := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	conf.ListenClientUrls, conf.ListenPeerUrls = []url.URL{free}, []url.URL{free}
	conf.AdvertiseClientUrls = conf.ListenClientUrls
	server, err := embed.StartEtcd(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("etcd does not start")
	}
	return "http://" + server.Clients[0].Addr().String()
}

// cluster is several control planes on one etcd.
type cluster struct {
	binary, dir, etcd string
	kills, repeats    atomic.Int64

	mu        sync.Mutex
	processes [controlPlanes]*fabric.ControlPlane
	apis      [controlPlanes]*fabric.API
}

func (c *cluster) start(ctx context.Context, i int) error {
	p, err := fabric.StartControlPlane(ctx, fabric.ControlPlaneOptions{
		Binary: c.binary, Dir: c.dir, Name: fmt.Sprintf("controlplane%d", i), Listen: "127.0.0.1:0", EtcdEndpoints: []string{c.etcd}, Quarantine: time.Second,
	})
	if err != nil {
		return err
	}
	api, err := fabric.Dial(p.GRPC)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apis[i] != nil {
		_ = c.apis[i].Close()
	}
	c.processes[i], c.apis[i] = p, api
	return nil
}

func (c *cluster) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.processes {
		if p != nil {
			_ = c.apis[i].Close()
			_ = p.Kill()
		}
	}
}

func (c *cluster) api(i int) *fabric.API {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apis[i]
}

// rack registers switches, plays them, and waits until all machines are free.
func (c *cluster) rack(ctx context.Context, t *testing.T, store *clientv3.Client) (machines int) {
	t.Helper()
	for n := 1; n <= 2*racks; n++ {
		leaf := fmt.Sprintf("leaf%02d", n)
		req := &apiv1.CreateSwitchRequest{
			Id: leaf, Role: apiv1.SwitchRole_SWITCH_ROLE_LEAF, Rack: fmt.Sprintf("rack%d", (n+1)/2), Loopback: fmt.Sprintf("10.255.0.%d", n),
			Provisioning: &apiv1.Provisioning{Vlan: 4000, Addresses: []string{fabric.ProvisioningAddress(n) + "/24"}},
		}
		for p := 1; p <= perRack; p++ {
			req.Ports = append(req.Ports, &apiv1.SwitchPort{Name: fmt.Sprintf("swp%d", p), Role: apiv1.PortRole_PORT_ROLE_MACHINE})
		}
		if _, err := c.api(n%controlPlanes).Switches.CreateSwitch(ctx, req); err != nil {
			t.Fatal(err)
		}
		sw, err := simswitch.Start(ctx, store, leaf)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := sw.Stop(); err != nil {
				t.Error(err)
			}
		})
		for p := 1; p <= perRack; p++ {
			m := (n-1)/2*perRack + p
			neighbour := simswitch.Machine(fmt.Sprintf("machine%02d", m), fmt.Sprintf("02:00:00:00:%02x:00", m), fmt.Sprintf("02:00:00:00:%02x:%02x", m, 1+(n-1)%2))
			if err := sw.Hear(ctx, fmt.Sprintf("swp%d", p), neighbour); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := fabric.Eventually(ctx, 50*time.Millisecond, func() error {
		list, err := c.api(0).Machines.ListMachines(ctx, &apiv1.ListMachinesRequest{State: apiv1.MachineState_MACHINE_STATE_FREE})
		if err == nil && len(list.Machines) != racks*perRack {
			err = fmt.Errorf("%d machines are free", len(list.Machines))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return racks * perRack
}

// handOut runs callers and the killer until enough was handed out.
func (c *cluster) handOut(ctx context.Context, t *testing.T, l *holdings) {
	run, stop := context.WithTimeout(ctx, handOutLimit)
	defer stop()
	var killer sync.WaitGroup
	killer.Go(func() { c.kill(run, ctx, t) })
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { c.caller(run, ctx, t, l, fmt.Sprintf("caller%d", i)) })
	}
	wg.Wait()
	stop()
	killer.Wait()
}

// kill ends one control plane after the other as a crash would, and starts it again.
func (c *cluster) kill(run, ctx context.Context, t *testing.T) {
	for n := 0; ; n++ {
		select {
		case <-run.Done():
			return
		case <-time.After(killEvery):
		}
		i := n % controlPlanes
		c.mu.Lock()
		p := c.processes[i]
		c.mu.Unlock()
		_ = p.Kill()
		c.kills.Add(1)
		if err := c.start(ctx, i); err != nil {
			t.Errorf("control plane %d does not come back: %v", i, err)
			return
		}
	}
}

// ask repeats a call under one request id, at any control plane, until it has an answer that is final.
func ask[M any](ctx context.Context, c *cluster, do func(api *fabric.API) (M, error)) (M, error) {
	for {
		answer, err := do(c.api(rand.IntN(controlPlanes)))
		switch status.Code(err) {
		case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.Aborted:
			if ctx.Err() != nil {
				return answer, err
			}
			c.repeats.Add(1)
			time.Sleep(5 * time.Millisecond)
		default:
			return answer, err
		}
	}
}

// caller takes and gives back at random.
func (c *cluster) caller(run, ctx context.Context, t *testing.T, l *holdings, name string) {
	var addresses []*apiv1.IP
	var allocations []*apiv1.Allocation
	for n := 0; run.Err() == nil && l.more(); n++ {
		id := fmt.Sprintf("%s-%d", name, n)
		switch dice := rand.IntN(10); {
		case dice < 2 && len(addresses) > 0:
			c.releaseIP(ctx, t, l, id, addresses[0])
			addresses = addresses[1:]
		case dice < 4 && len(allocations) > 0:
			c.release(ctx, t, l, id, allocations[0])
			allocations = allocations[1:]
		case dice < 6:
			a, err := ask(ctx, c, func(api *fabric.API) (*apiv1.Allocation, error) {
				return api.Allocations.CreateAllocation(ctx, &apiv1.CreateAllocationRequest{RequestId: id, Attachments: []*apiv1.Attachment{{Network: "crowd"}}})
			})
			switch {
			case err == nil:
				l.allocated(t, a)
				allocations = append(allocations, a)
			case status.Code(err) != codes.ResourceExhausted:
				t.Errorf("%s: allocate: %v", id, err)
			}
		default:
			ip, err := ask(ctx, c, func(api *fabric.API) (*apiv1.IP, error) {
				family := []apiv1.IPFamily{apiv1.IPFamily_IP_FAMILY_IPV4, apiv1.IPFamily_IP_FAMILY_IPV6}[n%2]
				return api.IPs.CreateIP(ctx, &apiv1.CreateIPRequest{RequestId: id, Network: "crowd", Family: family})
			})
			if err != nil {
				t.Errorf("%s: hold an address: %v", id, err)
				continue
			}
			l.took(t, id, keys.IPs+"crowd/"+ip.Address)
			addresses = append(addresses, ip)
		}
	}
}

func (c *cluster) releaseIP(ctx context.Context, t *testing.T, l *holdings, id string, ip *apiv1.IP) {
	l.gave(keys.IPs + "crowd/" + ip.Address) // first: it may be handed out again before the answer is here
	if _, err := ask(ctx, c, func(api *fabric.API) (*apiv1.DeleteIPResponse, error) {
		return api.IPs.DeleteIP(ctx, &apiv1.DeleteIPRequest{RequestId: id, Network: "crowd", Address: ip.Address})
	}); err != nil {
		t.Errorf("%s: release %s: %v", id, ip.Address, err)
	}
}

func (c *cluster) release(ctx context.Context, t *testing.T, l *holdings, id string, a *apiv1.Allocation) {
	l.gave(numbersOf(a)...)
	if _, err := ask(ctx, c, func(api *fabric.API) (*apiv1.DeleteAllocationResponse, error) {
		return api.Allocations.DeleteAllocation(ctx, &apiv1.DeleteAllocationRequest{RequestId: id, Id: a.Id})
	}); err != nil {
		t.Errorf("%s: release %s: %v", id, a.Id, err)
	}
}

// giveBack returns all that callers still hold.
func (c *cluster) giveBack(ctx context.Context, t *testing.T, l *holdings) {
	list, err := c.api(0).Allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: fabric.Project})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range list.Allocations {
		c.release(ctx, t, l, fmt.Sprint("back-", i), a)
	}
	ips, err := c.api(1).IPs.ListIPs(ctx, &apiv1.ListIPsRequest{Project: fabric.Project, Network: "crowd"})
	if err != nil {
		t.Fatal(err)
	}
	for i, ip := range ips.Ips {
		if ip.State == apiv1.IPState_IP_STATE_HELD && ip.Kind == apiv1.IPKind_IP_KIND_STATIC {
			c.releaseIP(ctx, t, l, fmt.Sprint("back-ip-", i), ip)
		}
	}
}

// holdings are what callers know that they hold: etcd's key of each number, and by which call.
type holdings struct {
	mu                              sync.Mutex
	held                            map[string]string
	numbers, addresses, allocations int
}

func (l *holdings) more() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.numbers < numbersWanted
}

func (l *holdings) take(t *testing.T, by string, numbers ...string) {
	for _, n := range numbers {
		if other, ok := l.held[n]; ok {
			t.Errorf("%s was handed out to %s and to %s", n, other, by)
		}
		l.held[n] = by
		l.numbers++
	}
}

func (l *holdings) took(t *testing.T, by, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses++
	l.take(t, by, address)
}

func (l *holdings) allocated(t *testing.T, a *apiv1.Allocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allocations++
	l.take(t, a.Id, numbersOf(a)...)
}

func (l *holdings) gave(numbers ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range numbers {
		delete(l.held, n)
	}
}

// numbersOf are the keys of what an allocation holds: machine, ASN, addresses.
func numbersOf(a *apiv1.Allocation) []string {
	out := []string{keys.Machine(a.Machine), keys.ASN(a.Asn)}
	for _, address := range a.Attachments[0].Addresses {
		out = append(out, keys.IPs+"crowd/"+address)
	}
	return out
}

// compare asserts that etcd says of exactly what callers hold that it is held.
func (l *holdings) compare(ctx context.Context, t *testing.T, store *clientv3.Client) {
	t.Helper()
	stored, err := heldNumbers(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range stored {
		if _, ok := l.held[n]; !ok {
			t.Errorf("%s is lost: it is held, and nobody knows of it", n)
		}
	}
	for n, by := range l.held {
		if !slices.Contains(stored, n) {
			t.Errorf("%s was handed out to %s, and etcd does not say so", n, by)
		}
	}
	if len(l.held) == 0 {
		t.Error("nobody holds anything")
	}
}

// heldNumbers are the keys of all numbers and machines that are held.
func heldNumbers(ctx context.Context, store *clientv3.Client) ([]string, error) {
	var out []string
	for _, prefix := range []string{keys.IPs, keys.ASNs, keys.Machines} {
		got, err := store.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return nil, err
		}
		for _, kv := range got.Kvs {
			held := !strings.Contains(string(kv.Value), "QUARANTINED")
			if prefix == keys.Machines {
				m, err := wire.MachineCodec.Decode(kv.Value)
				if err != nil {
					return nil, err
				}
				held = m.Allocation != ""
			}
			if held {
				out = append(out, string(kv.Key))
			}
		}
	}
	return out, nil
}

// nothingHeld says what is left when all was given back: numbers, receipts, probes, or ports out of provisioning.
func nothingHeld(ctx context.Context, store *clientv3.Client, machines int) error {
	for _, prefix := range []string{keys.IPs, keys.ASNs, keys.Allocations, keys.Receipts} {
		got, err := store.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
		if err != nil {
			return err
		}
		if got.Count > 0 {
			return fmt.Errorf("%d keys are left below %s, such as %s: %s", got.Count, prefix, got.Kvs[0].Key, got.Kvs[0].Value)
		}
	}
	got, err := store.Get(ctx, keys.Intents, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	ports := 0
	for _, kv := range got.Kvs {
		parts := keys.Split(keys.Intents, string(kv.Key))
		if len(parts) == 3 && parts[1] == "probes" {
			return fmt.Errorf("%s is left", kv.Key)
		}
		if len(parts) != 3 {
			continue
		}
		intent, err := wire.PortIntentCodec.Decode(kv.Value)
		if err != nil {
			return err
		}
		if intent.Mode != netmodel.ModeProvisioning {
			return fmt.Errorf("%s: %s", kv.Key, kv.Value)
		}
		ports++
	}
	if ports != 2*machines {
		return fmt.Errorf("%d ports have an intent, want %d", ports, 2*machines)
	}
	return nil
}
