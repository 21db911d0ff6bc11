package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/pkg/speaker"
)

// Run follows the machine file until ctx ends. Routes and addresses then stay, so that a new version of this program takes over
// without a gap for the machine's own connections; sessions are closed.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	h := &host{c: c, log: log}
	if err := hashPorts(); err != nil {
		log.Warn("prepare kernel", "error", err)
	}
	for _, u := range c.Uplinks {
		if err := prepareUplink(u, 0); err != nil {
			log.Warn("prepare uplink", "error", err)
		}
	}
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
	h.follow(ctx, changed)
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

	machine Machine
	speaker *running

	mu       sync.Mutex
	owned    []netip.Prefix // addresses that are on the loopback interface because of us
	routes   map[netip.Prefix][]speaker.NextHop
	sessions []speaker.Session
}

// running is a speaker with its end.
type running struct {
	*speaker.Speaker
	stop func()
}

// slowPass catches what events missed.
const slowPass = 2 * time.Second

// follow brings the machine in line with its file, whenever that changes.
func (h *host) follow(ctx context.Context, changed <-chan struct{}) {
	defer h.silence()
	tick := time.NewTicker(slowPass)
	defer tick.Stop()
	for {
		if err := h.pass(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("follow machine file", "error", err)
		}
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
		return h.leave()
	case err != nil:
		return err // the last good file stays in force
	}
	if h.speaker == nil || !m.equal(h.machine) {
		if err := h.become(ctx, m); err != nil {
			return err
		}
	}
	return h.install()
}

// leave is what a machine without a file does: nothing is announced, and nothing of the last allocation stays.
func (h *host) leave() error {
	if h.speaker != nil {
		h.log.Info("no machine file: the speaker ends", "allocation", h.machine.Allocation)
	}
	h.silence()
	h.machine = Machine{}
	h.learned(nil)
	if err := h.own(nil); err != nil {
		return err
	}
	return errors.Join(kernelRoutes(nil, nil), h.writeStatus())
}

// become makes the machine what its file says. Another ASN or router ID needs another speaker; addresses alone do not.
func (h *host) become(ctx context.Context, m Machine) error {
	uplinks, err := h.uplinks(m)
	if err != nil {
		return err
	}
	announce, err := h.announcements(m)
	if err != nil {
		return err
	}
	if err := h.own(m.Addresses); err != nil {
		return err
	}
	if h.speaker != nil && m.ASN == h.machine.ASN && m.routerID() == h.machine.routerID() && slices.Equal(m.Uplinks, h.machine.Uplinks) {
		h.log.Info("machine file changed", "allocation", m.Allocation, "addresses", m.Addresses)
		h.machine = m
		return h.speaker.Announce(announce)
	}
	h.silence()
	h.machine = m
	h.log.Info("speaker starts", "allocation", m.Allocation, "asn", m.ASN, "addresses", m.Addresses)
	return h.speak(ctx, speaker.Config{
		ASN: m.ASN, RouterID: m.routerID(), Uplinks: uplinks, Announce: announce, Log: h.log,
		OnRoutes: func(routes map[netip.Prefix][]speaker.NextHop) {
			h.learned(routes)
			if err := h.install(); err != nil {
				h.log.Warn("install routes", "error", err)
			}
		},
		OnSessions: func(sessions []speaker.Session) {
			h.mu.Lock()
			h.sessions = sessions
			h.mu.Unlock()
			h.log.Info("sessions", "now", sessions)
			if err := h.writeStatus(); err != nil {
				h.log.Warn("write status", "error", err)
			}
		},
	})
}

func (h *host) speak(ctx context.Context, c speaker.Config) error {
	s, err := speaker.New(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			h.log.Error("speaker ended", "error", err)
		}
	}()
	h.speaker = &running{s, func() { cancel(); <-done }}
	return nil
}

// silence ends the speaker.
func (h *host) silence() {
	if h.speaker == nil {
		return
	}
	h.speaker.stop()
	h.speaker = nil
	h.mu.Lock()
	h.sessions = nil
	h.mu.Unlock()
}

func (h *host) uplinks(m Machine) ([]speaker.Uplink, error) {
	named := m.Uplinks
	if len(named) == 0 {
		for _, name := range h.c.Uplinks {
			named = append(named, Uplink{Name: name})
		}
	}
	var out []speaker.Uplink
	var errs []error
	for _, u := range named {
		name, err := resolve(u)
		if err == nil {
			err = prepareUplink(name, m.MTU)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, speaker.Uplink{Interface: name, PeerASN: u.PeerASN})
	}
	if len(out) == 0 {
		return nil, errors.Join(errs...)
	}
	for _, err := range errs {
		h.log.Warn("uplink left out", "error", err)
	}
	return out, nil
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
	return kernelRoutes(h.routes, h.owned)
}

// own brings the loopback's addresses in line, and remembers them for the next start.
func (h *host) own(addresses []netip.Prefix) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Concat(h.owned, addresses)
	if !slices.Equal(h.owned, addresses) {
		// Remembered before they are there: a crash in between must not leave addresses that nobody owns.
		if err := h.remember(all); err != nil {
			return err
		}
	}
	if err := kernelAddresses(addresses, h.owned); err != nil {
		h.owned = all
		return err
	}
	if slices.Equal(h.owned, addresses) {
		return nil
	}
	h.owned = slices.Clone(addresses)
	return h.remember(addresses)
}

// ownedFile lists the addresses that are ours, beside the status file: it lives as long as the addresses, until the next boot.
func (h *host) ownedFile() string { return h.c.StatusFile + ".addresses" }

func (h *host) remember(addresses []netip.Prefix) error {
	text, err := json.Marshal(addresses)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.ownedFile()), 0o755); err != nil {
		return fmt.Errorf("remember addresses: %w", err)
	}
	if err := renameio.WriteFile(h.ownedFile(), text, 0o644); err != nil {
		return fmt.Errorf("remember addresses: %w", err)
	}
	return nil
}

func (h *host) recall() []netip.Prefix {
	text, err := os.ReadFile(h.ownedFile())
	if err != nil {
		return nil // the first start since boot
	}
	var out []netip.Prefix
	if err := json.Unmarshal(text, &out); err != nil {
		h.log.Warn("read remembered addresses", "error", err)
	}
	return out
}
