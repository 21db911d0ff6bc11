package frr

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Session is a BGP neighbour as bgpd sees it.
type Session struct {
	VRF       string // "" is the underlay
	Interface string // or the neighbour's address, if it is not made by interface
	// State is FRR's word: "Idle", "Active", "Established", …, and "Idle (PfxCt)" of a session that had too many prefixes.
	State       string
	Established bool
	// Address is the neighbour's, as far as bgpd knows it: that of a neighbour made by interface is heard.
	Address  netip.Addr
	RemoteAS netmodel.ASN // 0 until a peer of an external neighbour has said it
	// PrefixesReceived counts the routes accepted, of all address families.
	PrefixesReceived uint32
	EstablishedTime  time.Time // of the present session, to the second
	LastResetReason  string
	Hostname         string // as the peer says
	BFD              string // "Up", "Down", "Unknown", …; "" without BFD
}

// Sessions returns every BGP neighbour of every VRF, sorted by VRF and interface.
func (c *Client) Sessions(ctx context.Context) ([]Session, error) {
	text, err := c.show(ctx, bgpd, "show bgp vrf all neighbors json")
	if err != nil {
		return nil, fmt.Errorf("read BGP sessions: %w", err)
	}
	return parseSessions(text)
}

// Session returns one BGP neighbour, made by its interface, of a VRF ("" is the underlay). One that is not there has no state. Unlike
// Sessions, what it costs does not grow with the number of VRFs.
func (c *Client) Session(ctx context.Context, vrf, port string) (Session, error) {
	command := "show bgp neighbors " + port + " json"
	if vrf != "" {
		command = "show bgp vrf " + vrf + " neighbors " + port + " json"
	}
	text, err := c.show(ctx, bgpd, command)
	if err != nil {
		return Session{}, fmt.Errorf("read BGP session of %s: %w", port, err)
	}
	return parseSession(text, vrf, port)
}

// Hears reports whether zebra has heard the router advertisements of a neighbour on a port of a VRF ("" is the underlay).
func (c *Client) Hears(ctx context.Context, vrf, port string) (bool, error) {
	command := "show interface " + port
	if vrf != "" {
		command += " vrf " + vrf
	}
	text, err := c.show(ctx, zebra, command)
	if err != nil {
		return false, fmt.Errorf("ask who is heard on %s: %w", port, err)
	}
	return strings.Contains(text, "Neighbor address(s):"), nil
}

// LostNextHops are the next hops of the underlay by which bgpd has routes, and takes them for unreachable.
func (c *Client) LostNextHops(ctx context.Context) (map[netip.Addr]bool, error) {
	text, err := c.show(ctx, bgpd, "show bgp nexthop")
	if err != nil {
		return nil, fmt.Errorf("read next hops: %w", err)
	}
	return parseLostNextHops(text), nil
}

// parseLostNextHops reads the answer, which is JSON in new versions only: an address, "valid" or "invalid", and "#paths" with their number.
func parseLostNextHops(text string) map[netip.Addr]bool {
	lost := map[netip.Addr]bool{}
	for line := range strings.Lines(text) {
		state, paths, ok := strings.Cut(strings.TrimSpace(line), "#paths ")
		words := strings.Fields(state)
		if !ok || len(words) < 2 || strings.TrimRight(words[1], ",") != "invalid" || strings.HasPrefix(paths, "0") {
			continue
		}
		if address, err := netip.ParseAddr(words[0]); err == nil {
			lost[address] = true
		}
	}
	return lost
}

// EVPNOrigins returns the VTEPs from which this switch holds an EVPN type 5 route for exactly this prefix with the route target of
// the VNI. It works without the VRF, as on spines, and asks for this prefix alone.
func (c *Client) EVPNOrigins(ctx context.Context, vni netmodel.VNI, prefix netip.Prefix) ([]netip.Addr, error) {
	prefix = prefix.Masked()
	text, err := c.show(ctx, bgpd, fmt.Sprintf("show bgp l2vpn evpn %s json", prefix))
	if err != nil {
		return nil, fmt.Errorf("read EVPN routes for %s: %w", prefix, err)
	}
	return parseOrigins(text, vni, prefix)
}

// RouterMACs returns the router MACs (RFC 9135, section 8.1) with which VTEPs announce exactly this prefix. A VTEP's route with the route
// target of the VNI comes before its others: a route may be imported from another VRF.
func (c *Client) RouterMACs(ctx context.Context, vni netmodel.VNI, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	prefix = prefix.Masked()
	text, err := c.show(ctx, bgpd, fmt.Sprintf("show bgp l2vpn evpn %s json", prefix))
	if err != nil {
		return nil, fmt.Errorf("read EVPN routes for %s: %w", prefix, err)
	}
	return parseRouterMACs(text, vni, prefix)
}

// neighbourJSON is a neighbour in `show bgp … neighbors json` of FRR 8.4 to 10; what is missing stays empty.
type neighbourJSON struct {
	RemoteAS         json.RawMessage `json:"remoteAs"` // a string if the AS notation is with dots
	Hostname         string          `json:"hostname"`
	State            string          `json:"bgpState"`
	Address          string          `json:"bgpNeighborAddr"` // "none" until it is heard
	EstablishedEpoch int64           `json:"bgpTimerUpEstablishedEpoch"`
	LastReset        string          `json:"lastResetDueTo"`
	TooMany          json.RawMessage `json:"prefixesConfigExceedMax"` // a sentence or true, while maximum-prefix keeps the session down
	BFD              struct {
		Status string `json:"status"`
	} `json:"peerBfdInfo"`
	// Families have other names in other versions ("ipv4Unicast", "IPv4 Unicast"); only their sum counts.
	Families map[string]struct {
		Accepted uint32 `json:"acceptedPrefixCounter"`
	} `json:"addressFamilyInfo"`
}

// parseSessions reads the answer: VRFs by name, and in each its neighbours by name beside a few plain values.
func parseSessions(text string) ([]Session, error) {
	if isNothing(text) {
		return nil, nil
	}
	var vrfs map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &vrfs); err != nil {
		return nil, fmt.Errorf("parse BGP sessions: %w", err)
	}
	var out []Session
	for vrf, members := range vrfs {
		for name, raw := range members {
			if name == "vrfId" || name == "vrfName" || len(raw) == 0 || raw[0] != '{' {
				continue
			}
			var n neighbourJSON
			if err := json.Unmarshal(raw, &n); err != nil {
				return nil, fmt.Errorf("parse BGP session %q of VRF %q: %w", name, vrf, err)
			}
			out = append(out, n.session(vrf, name))
		}
	}
	slices.SortFunc(out, func(a, b Session) int {
		return strings.Compare(a.VRF+" "+a.Interface, b.VRF+" "+b.Interface)
	})
	return out, nil
}

// parseSession reads the answer for one neighbour: the neighbour by its name, beside a few plain values.
func parseSession(text, vrf, port string) (Session, error) {
	if isNothing(text) {
		return Session{}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return Session{}, fmt.Errorf("parse BGP session of %s: %w", port, err)
	}
	raw, ok := members[port]
	if !ok {
		return Session{}, nil
	}
	var n neighbourJSON
	if err := json.Unmarshal(raw, &n); err != nil {
		return Session{}, fmt.Errorf("parse BGP session of %s: %w", port, err)
	}
	return n.session(vrf, port), nil
}

// tooManyPrefixes is what a summary of FRR's calls the state of which its JSON says no more than Idle.
const tooManyPrefixes = "Idle (PfxCt)"

func (n neighbourJSON) session(vrf, name string) Session {
	if vrf == "default" {
		vrf = ""
	}
	address, _ := netip.ParseAddr(n.Address)
	s := Session{
		VRF: vrf, Address: address, Interface: name, State: n.State, Established: n.State == "Established", RemoteAS: parseASN(n.RemoteAS),
		LastResetReason: n.LastReset, Hostname: n.Hostname, BFD: n.BFD.Status,
	}
	if s.State == "Idle" && len(n.TooMany) > 0 {
		s.State = tooManyPrefixes
	}
	for _, f := range n.Families {
		s.PrefixesReceived += f.Accepted
	}
	if s.Established && n.EstablishedEpoch > 0 {
		s.EstablishedTime = time.Unix(n.EstablishedEpoch, 0).UTC()
	}
	return s
}

// parseASN reads 65000, "65000" and "1.10" (RFC 5396); 0 if it is none of these.
func parseASN(raw json.RawMessage) netmodel.ASN {
	text := strings.Trim(string(raw), `"`)
	high, low, dotted := strings.Cut(text, ".")
	if !dotted {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0
		}
		return netmodel.ASN(n)
	}
	h, errHigh := strconv.ParseUint(high, 10, 16)
	l, errLow := strconv.ParseUint(low, 10, 16)
	if errHigh != nil || errLow != nil {
		return 0
	}
	return netmodel.ASN(h<<16 | l)
}

// isNothing: a bgpd without any instance has no answer, or a sentence.
func isNothing(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || strings.HasPrefix(text, "%")
}

// routeJSON is one prefix of one route distinguisher in `show bgp l2vpn evpn PREFIX json`.
type routeJSON struct {
	RouteType int        `json:"routeType"`
	Length    int        `json:"ipLen"`
	Address   string     `json:"ip"`
	Paths     []pathJSON `json:"paths"`
}

type pathJSON struct {
	Valid    bool `json:"valid"`
	Extended struct {
		Text string `json:"string"`
	} `json:"extendedCommunity"`
	NextHops []struct {
		IP string `json:"ip"`
	} `json:"nexthops"`
}

// routeTarget is how FRR prints a VNI's.
func routeTarget(vni netmodel.VNI) string {
	return fmt.Sprintf("RT:%d:%d", netmodel.RouteTargetASN, vni)
}

// parseOrigins reads the next hops of the valid paths that carry the route target.
func parseOrigins(text string, vni netmodel.VNI, prefix netip.Prefix) ([]netip.Addr, error) {
	routes, err := parseRoutes(text, prefix)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, r := range routes {
		out = append(out, r.origins(routeTarget(vni))...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}

// parseRouterMACs reads the router MACs of the valid paths by their next hops, those with the route target first.
func parseRouterMACs(text string, vni netmodel.VNI, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error) {
	routes, err := parseRoutes(text, prefix)
	if err != nil {
		return nil, err
	}
	out := map[netip.Addr]net.HardwareAddr{}
	for _, target := range []string{routeTarget(vni), ""} {
		for _, r := range routes {
			for _, p := range r.Paths {
				p.addRouterMAC(out, target)
			}
		}
	}
	return out, nil
}

// addRouterMAC notes a path's router MAC for its next hops, if it carries the route target ("" is any) and they have none yet.
func (p pathJSON) addRouterMAC(macs map[netip.Addr]net.HardwareAddr, target string) {
	words := strings.Fields(p.Extended.Text)
	if !p.Valid || target != "" && !slices.Contains(words, target) {
		return
	}
	for _, word := range words {
		text, ok := strings.CutPrefix(word, "Rmac:")
		mac, err := net.ParseMAC(text)
		if !ok || err != nil || len(mac) != 6 {
			continue
		}
		for _, hop := range p.NextHops {
			addr, err := netip.ParseAddr(hop.IP)
			if _, has := macs[addr]; err == nil && !has {
				macs[addr] = mac
			}
		}
	}
}

// parseRoutes reads the type 5 routes of all route distinguishers. FRR looks for the longest match, so the prefix is compared.
func parseRoutes(text string, prefix netip.Prefix) ([]routeJSON, error) {
	if isNothing(text) {
		return nil, nil
	}
	var byRD map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &byRD); err != nil {
		return nil, fmt.Errorf("parse EVPN routes for %s: %w", prefix, err)
	}
	var out []routeJSON
	for rd, raw := range byRD {
		if len(raw) == 0 || raw[0] != '{' {
			continue
		}
		var route routeJSON
		if err := json.Unmarshal(raw, &route); err != nil {
			return nil, fmt.Errorf("parse EVPN route for %s of %s: %w", prefix, rd, err)
		}
		if route.RouteType == 5 && route.Address == prefix.Addr().String() && route.Length == prefix.Bits() {
			out = append(out, route)
		}
	}
	return out, nil
}

func (r routeJSON) origins(target string) []netip.Addr {
	var out []netip.Addr
	for _, p := range r.Paths {
		if !p.Valid || !slices.Contains(strings.Fields(p.Extended.Text), target) {
			continue
		}
		for _, hop := range p.NextHops {
			if addr, err := netip.ParseAddr(hop.IP); err == nil {
				out = append(out, addr)
			}
		}
	}
	return out
}
