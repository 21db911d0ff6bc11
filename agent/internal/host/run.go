package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/pkg/speaker"
)

// Run follows the machine file until ctx ends. Sessions are then closed; routes and addresses stay, and the next start takes them
// over, so that a new version of this program costs the machine's own connections no more than a pause.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	h := &host{c: c, log: log, prepared: map[string]int{}, takeover: time.Now().Add(takeover)}
	if err := hashPorts(); err != nil {
		log.Warn("prepare kernel", "error", err)
	}
	h.prepare(c.Uplinks, 0)
	h.owned = h.recall()
	var services sync.WaitGroup
	defer services.Wait()
	if c.lldp() {
		services.Go(func() {
			if err := h.sender().Run(ctx); err != nil && ctx.Err() == nil {
				log.Error("LLDP sender ended", "error", err)
			}
		})
	}
	changed := make(chan struct{}, 1)
	services.Go(func() { watchFile(ctx, c.MachineFile, changed) })
	services.Go(func() { watchLinks(ctx, changed) })
	h.follow(ctx, changed)
	if err := os.Remove(c.StatusFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("remove status", "error", err)
	}
	return nil
}

func (h *host) sender() *lldp.Sender {
	name, _ := os.Hostname() // a machine without a name says its UUID only
	return lldp.NewSender(lldp.SenderConfig{
		Interfaces: h.c.Uplinks, ChassisID: lldp.LocalChassisID(h.c.SystemUUID), PortIDFromMAC: true, SystemName: name,
		SystemDescription: "Pointsman host", Log: h.log,
	})
}

// host is the state of a run.
type host struct {
	c   Config
	log *slog.Logger

	speaker  *running
	complain string         // the last error of a pass, which is logged once
	prepared map[string]int // uplinks that were set up once, and their indexes

	mu       sync.Mutex
	machine  Machine        // written by the pass only
	owned    []netip.Prefix // addresses that are on the loopback interface because of us, the wanted first
	routes   map[netip.Prefix][]speaker.NextHop
	sessions []speaker.Session
	told     []byte    // the last status
	takeover time.Time // until then the routes of the run before stay that are not learned yet
}

// running is a speaker with its end.
type running struct {
	*speaker.Speaker
	uplinks  []speaker.Uplink
	announce []speaker.Route
	cancel   func()
	done     chan struct{} // closed when it has ended
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

const (
	slowPass = 2 * time.Second  // catches what events missed
	takeover = 10 * time.Second // sessions come up in less
)

// follow brings the machine in line with its file, whenever that or the links change.
func (h *host) follow(ctx context.Context, changed <-chan struct{}) {
	defer h.silence()
	tick := time.NewTicker(slowPass)
	defer tick.Stop()
	for {
		var complaint string
		if err := h.pass(ctx); err != nil && ctx.Err() == nil {
			complaint = err.Error()
		}
		if complaint != h.complain && complaint != "" {
			h.log.Warn("follow machine file", "error", complaint)
		}
		h.complain = complaint
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

func (h *host) pass(ctx context.Context) error {
	m, err := readMachine(h.c.MachineFile)
	switch {
	case errors.Is(err, errNoMachine):
		err = h.leave()
	case err != nil && h.speaker == nil:
	case err != nil: // the last good file stays in force
		err = errors.Join(err, h.become(ctx, h.machine))
	default:
		err = h.become(ctx, m)
	}
	return errors.Join(err, h.writeStatus())
}

// leave is what a machine without a file does: nothing is announced, and nothing of the last allocation stays.
func (h *host) leave() error {
	if h.speaker != nil {
		h.log.Info("no machine file: the speaker ends", "allocation", h.machine.Allocation)
	}
	h.silence()
	h.is(Machine{})
	h.learned(nil)
	_, err := kernelRoutes(nil, nil, false)
	return errors.Join(err, h.drop(nil))
}

// become makes the machine what its file says; on a machine that is so already it changes nothing. Addresses come first and go
// last: the source of a route must be there, or the kernel removes the route.
func (h *host) become(ctx context.Context, m Machine) error {
	uplinks, err := h.uplinks(m)
	if err != nil {
		return err
	}
	announce, err := h.announcements(m)
	if err != nil {
		return err
	}
	if err := h.hold(m.Addresses); err != nil {
		return err
	}
	if err := h.speak(ctx, m, uplinks, announce); err != nil {
		return err
	}
	return errors.Join(h.install(), h.drop(m.Addresses))
}

// speak announces as m. Another ASN or router ID needs another speaker; other addresses and uplinks do not.
func (h *host) speak(ctx context.Context, m Machine, uplinks []speaker.Uplink, announce []speaker.Route) error {
	if h.speaker == nil || h.speaker.ended() || m.ASN != h.machine.ASN || m.routerID() != h.machine.routerID() {
		h.silence()
		return h.startSpeaker(ctx, m, uplinks, announce)
	}
	if !slices.Equal(uplinks, h.speaker.uplinks) {
		h.log.Info("uplinks changed", "uplinks", uplinks)
		h.speaker.SetUplinks(uplinks)
		h.speaker.uplinks = uplinks
	}
	if !slices.EqualFunc(announce, h.speaker.announce, speaker.Route.Equal) {
		h.log.Info("addresses changed", "allocation", m.Allocation, "addresses", m.Addresses)
		if err := h.speaker.Announce(announce); err != nil {
			return err
		}
		h.speaker.announce = announce
	}
	h.is(m)
	return nil
}

func (h *host) startSpeaker(program context.Context, m Machine, uplinks []speaker.Uplink, announce []speaker.Route) error {
	// A speaker that ends forgets what it learned. When the program ends with it, the routes stay.
	onRoutes := func(routes map[netip.Prefix][]speaker.NextHop) {
		if program.Err() == nil {
			h.onRoutes(routes)
		}
	}
	s, err := speaker.New(speaker.Config{
		ASN: m.ASN, RouterID: m.routerID(), Uplinks: uplinks, Announce: announce, Log: h.log,
		OnRoutes: onRoutes, OnSessions: h.onSessions,
	})
	if err != nil {
		return err
	}
	h.log.Info("speaker starts", "allocation", m.Allocation, "asn", m.ASN, "addresses", m.Addresses)
	ctx, cancel := context.WithCancel(program)
	r := &running{Speaker: s, uplinks: uplinks, announce: announce, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := s.Run(ctx); err != nil { // the next pass starts another
			h.log.Error("speaker ended", "error", err)
		}
	}()
	h.speaker = r
	h.is(m)
	return nil
}

func (h *host) is(m Machine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.machine = m
}

func (h *host) onRoutes(routes map[netip.Prefix][]speaker.NextHop) {
	h.learned(routes)
	if err := errors.Join(h.install(), h.writeStatus()); err != nil {
		h.log.Warn("install routes", "error", err)
	}
}

func (h *host) onSessions(sessions []speaker.Session) {
	h.mu.Lock()
	h.sessions = sessions
	h.mu.Unlock()
	h.log.Info("sessions", "now", sessions)
	if err := h.writeStatus(); err != nil {
		h.log.Warn("write status", "error", err)
	}
}

// silence ends the speaker.
func (h *host) silence() {
	if h.speaker == nil {
		return
	}
	h.speaker.cancel()
	<-h.speaker.done
	h.speaker = nil
	h.mu.Lock()
	h.sessions = nil
	h.mu.Unlock()
}

// uplinks are the machine file's, as far as their interfaces are there, and host.yaml's if none is.
func (h *host) uplinks(m Machine) ([]speaker.Uplink, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var out []speaker.Uplink
	var names []string
	for _, u := range m.Uplinks {
		if name, ok := resolve(u, links); ok && !slices.Contains(names, name) {
			names = append(names, name)
			out = append(out, speaker.Uplink{Interface: name, PeerASN: u.PeerASN})
		}
	}
	if len(out) == 0 {
		names = h.c.Uplinks
		for _, name := range names {
			out = append(out, speaker.Uplink{Interface: name})
		}
	}
	h.prepare(names, m.MTU)
	return out, nil
}

// prepare makes uplinks ready that are there; those that are not are prepared when they appear. An uplink is set up once: who sets
// it down later means it.
func (h *host) prepare(names []string, mtu int) {
	for _, name := range names {
		link, err := netlink.LinkByName(name)
		if err != nil {
			delete(h.prepared, name)
			continue
		}
		if err := prepareUplink(link, mtu); err != nil {
			h.log.Warn("prepare uplink", "error", err)
		}
		if h.prepared[name] == link.Attrs().Index {
			continue
		}
		h.prepared[name] = link.Attrs().Index
		if err := netlink.LinkSetUp(link); err != nil {
			h.log.Warn("set uplink up", "uplink", name, "error", err)
		}
	}
}

func (h *host) announcements(m Machine) ([]speaker.Route, error) {
	extra, err := h.c.extra()
	if err != nil {
		return nil, err
	}
	var out []speaker.Route
	for _, p := range m.Addresses {
		out = append(out, speaker.Route{Prefix: p})
	}
	return append(out, extra...), nil
}

func (h *host) learned(routes map[netip.Prefix][]speaker.NextHop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.routes = routes
}

// install brings the kernel's routes in line with what is learned. Safe for concurrent use: the speaker calls it too.
func (h *host) install() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	taking := time.Now().Before(h.takeover)
	if len(h.routes) == 0 && taking {
		return nil
	}
	left, err := kernelRoutes(h.routes, h.owned, taking)
	if err == nil && left == 0 {
		h.takeover = time.Time{}
	}
	return err
}
