package lldp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/lldp"
	"github.com/mdlayher/packet"
)

// Defaults of a Sender: a machine is discovered within DefaultInterval and missed after DefaultTTL.
const (
	DefaultInterval = 2 * time.Second
	DefaultTTL      = 8 * time.Second
)

// SenderConfig is what a Sender says, and where.
type SenderConfig struct {
	// Interfaces to send on, by name; they may come and go. Empty means every physical port for which Want holds, if it is given.
	Interfaces []string
	Want       func(port string) bool
	// ChassisID names the system on every port: LocalChassisID of a system UUID on machines, MACChassisID on switches.
	ChassisID lldp.ChassisID
	// PortIDFromMAC makes the port ID the port's own MAC (machines); otherwise it is the interface name (switches).
	PortIDFromMAC     bool
	SystemName        string
	SystemDescription string
	// Interval and TTL are DefaultInterval and DefaultTTL if 0. TTL counts in whole seconds.
	Interval, TTL time.Duration
	Log           *slog.Logger
}

// LocalChassisID is a locally assigned chassis ID, such as a system UUID.
func LocalChassisID(id string) lldp.ChassisID {
	return lldp.ChassisID{Subtype: lldp.ChassisIDSubtypeLocallyAssigned, ID: []byte(id)}
}

// MACChassisID is a chassis ID that is a MAC address.
func MACChassisID(mac net.HardwareAddr) lldp.ChassisID {
	return lldp.ChassisID{Subtype: lldp.ChassisIDSubtypeMACAddress, ID: mac}
}

// Sender announces a system on its ports: periodically, and at once when a port appears or comes up.
type Sender struct{ cfg SenderConfig }

// NewSender makes a Sender; Run starts it.
func NewSender(cfg SenderConfig) *Sender {
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Sender{cfg}
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	open := map[string]*sending{}
	defer func() {
		for _, p := range open {
			p.cancel()
		}
	}()
	return follow(ctx, s.cfg.Log, s.wants, func(ports map[string]Port) {
		for name, p := range open {
			if now := ports[name]; now.Index != p.port.Index || now.MAC != p.port.MAC {
				p.cancel()
				delete(open, name)
			}
		}
		for name, port := range ports {
			p, ok := open[name]
			if !ok {
				const hearsNothing = 0
				conn, err := packet.Listen(&net.Interface{Index: port.Index, Name: name}, packet.Raw, hearsNothing, nil)
				if err != nil { // it may be gone again; the next list retries
					s.cfg.Log.Warn("cannot announce by LLDP", "port", name, "err", err)
					continue
				}
				ctx, cancel := context.WithCancel(ctx)
				p = &sending{port: port, cancel: cancel, cameUp: make(chan struct{}, 1)}
				open[name] = p
				wg.Go(func() { s.sendOn(ctx, p.port, conn, p.cameUp) })
			}
			if port.Up && !p.up {
				select {
				case p.cameUp <- struct{}{}:
				default:
				}
			}
			p.up = port.Up
		}
	})
}

func (s *Sender) wants(port string) bool {
	if len(s.cfg.Interfaces) > 0 {
		return slices.Contains(s.cfg.Interfaces, port)
	}
	return s.cfg.Want == nil || s.cfg.Want(port)
}

type sending struct {
	port   Port
	up     bool
	cameUp chan struct{}
	cancel context.CancelFunc
}

func (s *Sender) sendOn(ctx context.Context, port Port, conn *packet.Conn, cameUp <-chan struct{}) {
	defer func() { _ = conn.Close() }()
	frame, err := s.frame(port)
	if err != nil {
		s.cfg.Log.Error("cannot announce by LLDP", "port", port.Name, "err", err)
		return
	}
	ticker := time.NewTicker(s.cfg.Interval)
	defer ticker.Stop()
	for {
		// A port that is down refuses; it is announced when it comes up.
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: nearestBridge}); err != nil {
			s.cfg.Log.Debug("LLDP frame not sent", "port", port.Name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-cameUp:
		case <-ticker.C:
		}
	}
}

// frame builds the Ethernet frame of one port.
func (s *Sender) frame(port Port) ([]byte, error) {
	source, err := net.ParseMAC(port.MAC)
	if err != nil {
		return nil, fmt.Errorf("read MAC of %s: %w", port.Name, err)
	}
	id := lldp.PortID{Subtype: lldp.PortIDSubtypeInterfaceName, ID: []byte(port.Name)}
	if s.cfg.PortIDFromMAC {
		id = lldp.PortID{Subtype: lldp.PortIDSubtypeMACAddress, ID: source}
	}
	unit := lldp.Frame{ChassisID: &s.cfg.ChassisID, PortID: &id, TTL: s.cfg.TTL}
	for _, o := range []struct {
		kind lldp.TLVType
		text string
	}{
		{lldp.TLVTypePortDescription, port.Name}, {lldp.TLVTypeSystemName, s.cfg.SystemName}, {lldp.TLVTypeSystemDescription, s.cfg.SystemDescription},
	} {
		if o.text == "" {
			continue
		}
		value := []byte(o.text[:min(len(o.text), maxText)])
		unit.Optional = append(unit.Optional, &lldp.TLV{Type: o.kind, Length: uint16(len(value)), Value: value})
	}
	payload, err := unit.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("build LLDP unit of %s: %w", port.Name, err)
	}
	frame := slices.Concat(nearestBridge, source, []byte{byte(etherType >> 8), byte(etherType & 0xff)}, payload)
	return frame, nil
}
