// Package linux is the network operating system "plain Linux": it observes the kernel by a handful of netlink dumps, and carries out
// the planner's steps one by one, by netlink, without starting a program. FRR's side is passed through to whoever speaks to FRR.
// It decides nothing. The reconcile package calls it.
//
// What it owns in the kernel is known by name: the bridge "bridge", VRFs Vrf* and provision, devices Vlan* and vni*; by label, the
// address on lo; by protocol number, routes and rules. All else it reads at most.
package linux

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	frrtemplates "github.com/pointsman/pointsman/frr-templates"
	"github.com/pointsman/pointsman/pkg/frr"
)

// FRR is how FRR is read and written.
type FRR interface {
	// Running is what FRR runs.
	Running(ctx context.Context) (frr.Config, error)
	// Saved is what FRR starts with. A file that is not there is empty.
	Saved(ctx context.Context) (frr.Config, error)
	// Apply sends changes in order and returns what became of each.
	Apply(ctx context.Context, changes []frr.Change) []error
	// Save writes what FRR starts with.
	Save(ctx context.Context, text string) error
	// StrictBFD reports whether it holds sessions back while BFD is down.
	StrictBFD(ctx context.Context) bool
	// MistakesSVIs reports whether it takes an SVI without a VNI for that of another's.
	MistakesSVIs(ctx context.Context) bool
}

// Options of a System.
type Options struct {
	FRR FRR
	// Management are ports that are not ours to touch, besides the members of VRF mgmt. Default: eth0.
	Management []string
	// PortName tells whether a device's name is a front-panel port's; nil takes any.
	PortName func(string) bool
	// Unlabelled leaves our addresses on lo without the label that marks them: for a network OS that knows them otherwise, and does
	// not expect one.
	Unlabelled bool
	// BFDInterval is how often BFD packets are sent and expected; 0 means the templates' default.
	BFDInterval time.Duration
	// Protection is our table of nftables; nil where the kernel has none.
	Protection Protection
	// Protect says how the switch protects itself with it.
	Protect plan.Protect
	// Names are those of a network OS whose daemons make the devices; nil where they are the planner's.
	Names Names
	Log   *slog.Logger
}

// System is a switch that runs plain Linux. Its methods may be called concurrently, but two Applys at once make no sense.
type System struct {
	frr         FRR
	management  []string
	portName    func(string) bool
	bfdInterval time.Duration
	templates   *frrtemplates.Set
	protection  Protection
	protect     plan.Protect
	names       Names
	log         *slog.Logger
	route       *socket
}

var _ system.Switch = (*System)(nil)

// New opens the kernel of the calling thread's network namespace.
func New(o Options) (*System, error) {
	if o.FRR == nil {
		return nil, errors.New("open plain Linux: nobody speaks to FRR")
	}
	if o.Management == nil {
		o.Management = []string{"eth0"}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Protection == nil {
		o.Protection, o.Protect = unprotected{}, plan.Protect{}
	}
	if o.Names == nil {
		o.Names = plain{}
	}
	route, err := newSocket()
	if err != nil {
		return nil, err
	}
	if !o.Unlabelled {
		route.label = loopbackLabel
	}
	return &System{
		frr: o.FRR, management: o.Management, portName: o.PortName, bfdInterval: o.BFDInterval, protection: o.Protection, protect: o.Protect,
		names: o.Names, log: o.Log, route: route,
	}, nil
}

// UseTemplates implements system.Switch.
func (s *System) UseTemplates(t *frrtemplates.Set) { s.templates = t }

// Keep implements system.Switch: router MACs, groups of next hops and the SVIs of VNIs are kept.
func (s *System) Keep(ctx context.Context, r system.Routing) {
	var wg sync.WaitGroup
	wg.Go(func() { s.KeepRouterMACs(ctx, r) })
	wg.Go(func() { s.KeepNexthopGroups(ctx, r) })
	wg.Go(func() { s.KeepSVIs(ctx, r.TunnelSVIs) })
	wg.Wait()
}

// Close implements system.Switch.
func (s *System) Close() { s.route.close() }

// Protects implements system.Switch.
func (s *System) Protects() bool { return s.protect.On }

// Name implements system.System.
func (s *System) Name() string { return "linux" }

// managementVRF is the operator's.
const managementVRF = "mgmt"

// isPort reports whether a device looks like a front-panel port: Ethernet, real or (in a lab) a veth, and nobody's management.
func (s *System) isPort(l link, master string) bool {
	return l.ether && (l.kind == "" || l.kind == "veth") && l.name != plan.LoopbackName &&
		!slices.Contains(s.management, l.name) && master != managementVRF && (s.portName == nil || s.portName(l.name))
}

// vrfOf, sviOf and vniOf tell whether a device is ours by its kind and name.
func vrfOf(l link) bool {
	return l.kind == "vrf" && frr.OwnsVRF(l.name)
}

func sviOf(l link) (vlan uint16, ok bool) {
	n, ok := numbered(l.name, "Vlan")
	return uint16(n), ok && n <= 4094
}

func vniOf(l link) (vni uint32, ok bool) {
	n, ok := numbered(l.name, "vni")
	return uint32(n), ok && n < 1<<24
}

// numbered reads the number behind a prefix, written as we write it.
func numbered(name, prefix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, err == nil && strconv.FormatUint(n, 10) == digits
}

// Carrier implements system.System.
func (s *System) Carrier(port string) bool {
	l, err := s.route.device(port)
	return err == nil && l.operUp
}

// Facts implements system.System. Numbers that foreign VRFs and VLAN devices hold are taken.
func (s *System) Facts(ctx context.Context) (plan.Facts, error) {
	f, _, err := s.FactsAndSharedTunnels(ctx)
	return f, err
}

// FactsAndSharedTunnels returns both from one look at the devices.
func (s *System) FactsAndSharedTunnels(ctx context.Context) (plan.Facts, []string, error) {
	links, err := s.links()
	if err != nil {
		return plan.Facts{}, nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		return plan.Facts{}, nil, fmt.Errorf("read hostname: %w", err)
	}
	f := plan.Facts{
		Hostname: hostname, Ports: map[string]plan.PortFacts{}, BFDInterval: int(s.bfdInterval.Milliseconds()), StrictBFD: s.frr.StrictBFD(ctx), MistakesSVIs: s.frr.MistakesSVIs(ctx),
		Capabilities: plan.LinuxCapabilities, Protect: s.protect, Templates: s.templates,
	}
	for _, l := range links {
		_, svi := sviOf(l)
		switch {
		case s.isPort(l, links[l.master].name):
			f.Ports[l.name] = plan.PortFacts{MAC: l.mac, Speed: speed(l.name)}
		case l.kind == "vrf" && !vrfOf(l):
			f.TakenTables = append(f.TakenTables, l.data.uint32(nl.IFLA_VRF_TABLE))
		case l.kind == "vlan" && !svi && links[l.parent].name == plan.BridgeName:
			f.TakenVLANs = append(f.TakenVLANs, l.data.uint16(nl.IFLA_VLAN_ID))
		}
	}
	slices.Sort(f.TakenTables)
	slices.Sort(f.TakenVLANs)
	return f, shared(links), nil
}

// speed is a port's speed in Mbit/s, or 0: a port without link has none, nor has a veth in a namespace without sysfs.
func speed(port string) int {
	text, err := os.ReadFile("/sys/class/net/" + port + "/speed")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
