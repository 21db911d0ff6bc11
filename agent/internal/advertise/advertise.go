// Package advertise tells the machine on a port the switch's link-local address the moment the port comes up. A session waits for that
// address, and FRR says it when its interval has passed, up to a second later; to have FRR say it more often would cost every port
// for good what only a new one needs.
//
// It sends router advertisements with a lifetime of 0, as FRR does, on ports that are in no bridge, for a few seconds after each coming
// up. It changes nothing, and FRR's own advertisements go on beside it. The agent's run command starts it.
package advertise

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// interval is the shortest that FRR knows too. RFC 4861 asks for 3 s at the least, which is for routers that nobody waits for.
	interval = 70 * time.Millisecond
	// span is for how long: a session that does not come in it waits for something else.
	span = 3 * time.Second
	// again is when events are followed anew after they failed.
	again = time.Second
)

// Run advertises on ports that come up, until ctx ends, and never on those of management. Ports that are up already have waited long
// enough for FRR.
func Run(ctx context.Context, management []string, log *slog.Logger) {
	a := &advertiser{management: management, log: log, ports: map[int]port{}}
	for ctx.Err() == nil {
		if err := a.follow(ctx); err != nil && ctx.Err() == nil {
			log.Warn("advertise on new ports", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
	}
}

type advertiser struct {
	management []string
	log        *slog.Logger
	ports      map[int]port // by index
}

// follow hears of links until ctx ends or the kernel's events fail.
func (a *advertiser) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates, failed := make(chan netlink.LinkUpdate, 64), make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{ErrorCallback: func(err error) {
		select {
		case failed <- err:
		default:
		}
	}})
	if err != nil {
		return fmt.Errorf("follow links: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("follow links: %w", err)
		case update, ok := <-updates:
			if !ok {
				return fmt.Errorf("follow links: the kernel's events ended")
			}
			a.heard(ctx, update)
		}
	}
}

// port is what was last heard of a link.
type port struct {
	up     bool
	master int
	stop   context.CancelFunc
}

// heard begins to advertise on a port that came up, and ends it when it went down or elsewhere.
func (a *advertiser) heard(ctx context.Context, update netlink.LinkUpdate) {
	attrs := update.Attrs()
	was := a.ports[attrs.Index]
	now := port{up: attrs.RawFlags&unix.IFF_LOWER_UP != 0 && attrs.RawFlags&unix.IFF_UP != 0, master: attrs.MasterIndex, stop: was.stop}
	gone := update.Header.Type == unix.RTM_DELLINK
	if gone {
		now = port{stop: was.stop}
	}
	if (!now.up || now.master != was.master) && was.stop != nil {
		was.stop()
		now.stop = nil
	}
	if now.up && (!was.up || now.master != was.master) && a.isPort(update.Link) {
		var limited context.Context
		limited, now.stop = context.WithTimeout(ctx, span)
		go a.burst(limited, attrs.Index)
	}
	if gone {
		delete(a.ports, attrs.Index)
		return
	}
	a.ports[attrs.Index] = now
}

// isPort reports whether a link is a front-panel port that is routed: Ethernet, real or (in a lab) a veth, nobody's management, and in a
// VRF or in nothing.
func (a *advertiser) isPort(link netlink.Link) bool {
	attrs := link.Attrs()
	kind := link.Type()
	if kind != "device" && kind != "veth" || attrs.Flags&net.FlagLoopback != 0 || slices.Contains(a.management, attrs.Name) {
		return false
	}
	if attrs.MasterIndex == 0 {
		return true
	}
	master, err := netlink.LinkByIndex(attrs.MasterIndex)
	return err == nil && master.Type() == "vrf" && master.Attrs().Name != managementVRF
}

// managementVRF is the operator's.
const managementVRF = "mgmt"

// burst advertises on one port until ctx ends.
func (a *advertiser) burst(ctx context.Context, index int) {
	for ; ctx.Err() == nil; pause(ctx) {
		if err := advertise(index); err != nil { // its address may be on its way, or the port gone again
			a.log.Debug("advertise on a new port", "port", index, "error", err)
		}
	}
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(interval):
	}
}

// advertise sends one router advertisement. It goes past the switch's own network stack: what is multicast there, FRR would hear too,
// and take itself for the machine.
func advertise(index int) error {
	ifc, err := net.InterfaceByIndex(index)
	if err != nil {
		return err
	}
	source, err := linkLocal(ifc)
	if err != nil {
		return err
	}
	frame, err := encode(ifc.HardwareAddr, source)
	if err != nil {
		return err
	}
	conn, err := packet.Listen(ifc, packet.Raw, 0, nil) // protocol 0 receives nothing
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.WriteTo(frame, &packet.Addr{HardwareAddr: allNodesMAC})
	return err
}

func linkLocal(ifc *net.Interface) (netip.Addr, error) {
	addrs, err := ifc.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no link-local address yet", ifc.Name)
}

var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// encode is the advertisement as an Ethernet frame (RFC 8200, section 3; RFC 4861, section 4.2).
func encode(mac net.HardwareAddr, source netip.Addr) ([]byte, error) {
	message, err := ndp.MarshalMessageChecksum(&ndp.RouterAdvertisement{
		CurrentHopLimit: 64, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}},
	}, source, allNodes)
	if err != nil {
		return nil, err
	}
	frame := append(append([]byte(nil), allNodesMAC...), mac...)
	frame = append(frame, 0x86, 0xdd)                                // IPv6
	frame = append(frame, 0x60, 0, 0, 0)                             // version 6
	frame = append(frame, byte(len(message)>>8), byte(len(message))) // payload length
	frame = append(frame, unix.IPPROTO_ICMPV6, ndp.HopLimit)         // only neighbours send with it
	from, to := source.As16(), allNodes.As16()
	return append(append(append(frame, from[:]...), to[:]...), message...), nil
}
