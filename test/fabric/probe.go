package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Ping is a series of ICMP echo requests.
type Ping struct {
	To netip.Addr
	// From is the source address; zero leaves it to the kernel.
	From netip.Addr
	// Device binds the socket to a device, a VRF for instance.
	Device string
	// Size is the whole IP packet in bytes, sent unfragmented; 0 is ping's default.
	Size int
	// Count defaults to 3, Interval to 0.2 s.
	Count    int
	Interval float64
}

// PingResult counts packets.
type PingResult struct{ Sent, Received int }

const (
	ipv4Headers = 28 // IPv4 and ICMP
	ipv6Headers = 48 // IPv6 and ICMPv6
)

func (p Ping) argv() []string {
	if p.Count == 0 {
		p.Count = 3
	}
	if p.Interval == 0 {
		p.Interval = 0.2
	}
	argv := []string{"ping", "-n", "-q", "-c", strconv.Itoa(p.Count), "-i", strconv.FormatFloat(p.Interval, 'f', -1, 64), "-W", "2"}
	if p.To.Is6() {
		argv = append(argv, "-6")
	}
	if p.Size != 0 {
		headers := ipv4Headers
		if p.To.Is6() {
			headers = ipv6Headers
		}
		argv = append(argv, "-M", "do", "-s", strconv.Itoa(p.Size-headers))
	}
	if p.From.IsValid() {
		argv = append(argv, "-I", p.From.String())
	}
	if p.Device != "" {
		argv = append(argv, "-I", p.Device)
	}
	return append(argv, p.To.String())
}

var pingCounts = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// Ping runs a series of pings from a node.
func (f *Fabric) Ping(ctx context.Context, node string, p Ping) (PingResult, error) {
	r, err := f.Lab.Exec(ctx, node, p.argv(), nil)
	if err != nil {
		return PingResult{}, err
	}
	m := pingCounts.FindSubmatch(r.Stdout)
	if m == nil {
		// "Network is unreachable" says as well that nothing was received.
		return PingResult{}, nil
	}
	sent, _ := strconv.Atoi(string(m[1]))
	received, _ := strconv.Atoi(string(m[2]))
	return PingResult{Sent: sent, Received: received}, nil
}

// Reach asserts that every packet of a series comes back. A first packet, not counted, resolves the neighbours on the way.
func (f *Fabric) Reach(ctx context.Context, node string, p Ping) error {
	first := p
	first.Count = 1
	if _, err := f.Ping(ctx, node, first); err != nil {
		return err
	}
	r, err := f.Ping(ctx, node, p)
	if err == nil && (r.Sent == 0 || r.Received != r.Sent) {
		err = fmt.Errorf("%s to %s: %d of %d packets came back", node, p.To, r.Received, r.Sent)
	}
	return err
}

// NextHop is one way of a route.
type NextHop struct {
	Gateway netip.Addr
	Device  string
}

// Route is a route of a kernel's table.
type Route struct {
	Destination string
	Protocol    string
	Type        string
	NextHops    []NextHop
}

// ipRoute is what `ip -j route` prints.
type ipRoute struct {
	Dst      string    `json:"dst"`
	Type     string    `json:"type"`
	Protocol string    `json:"protocol"`
	Gateway  string    `json:"gateway"`
	Via      *ipVia    `json:"via"`
	Dev      string    `json:"dev"`
	NextHops []ipRoute `json:"nexthops"`
}

type ipVia struct {
	Host string `json:"host"`
}

func (r ipRoute) hop() NextHop {
	text := r.Gateway
	if r.Via != nil {
		text = r.Via.Host
	}
	gateway, _ := netip.ParseAddr(text)
	return NextHop{Gateway: gateway.Unmap(), Device: r.Dev}
}

// Routes returns the routes of a node that match the arguments of `ip route show`, such as "vrf", "Vrf100001", "10.0.0.1".
func (f *Fabric) Routes(ctx context.Context, node string, family string, args ...string) ([]Route, error) {
	text, err := f.Lab.Run(ctx, node, append([]string{"ip", "-j", family, "route", "show"}, args...)...)
	if err != nil {
		return nil, err
	}
	return decodeRoutes(node, text)
}

// AllRoutes returns the routes of both families and all tables of a node, by one command.
func (f *Fabric) AllRoutes(ctx context.Context, node string) ([]Route, error) {
	text, err := f.Lab.Run(ctx, node, "sh", "-ec", "ip -j -4 route show table all; ip -j -6 route show table all")
	if err != nil {
		return nil, err
	}
	return decodeRoutes(node, text)
}

// decodeRoutes reads what one or more `ip -j route` printed.
func decodeRoutes(node, text string) ([]Route, error) {
	var all []ipRoute
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var list []ipRoute
		err := decoder.Decode(&list)
		if errors.Is(err, io.EOF) {
			return mergeRoutes(all), nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode routes of %s: %w", node, err)
		}
		all = append(all, list...)
	}
}

// mergeRoutes joins the ways of a destination: IPv6 lists them as routes of their own.
func mergeRoutes(list []ipRoute) []Route {
	var out []Route
	for _, r := range list {
		hops := []NextHop{r.hop()}
		if len(r.NextHops) > 0 {
			hops = nil
			for _, n := range r.NextHops {
				hops = append(hops, n.hop())
			}
		}
		i := slices.IndexFunc(out, func(o Route) bool { return o.Destination == r.Dst && o.Type == r.Type && o.Protocol == r.Protocol })
		if i < 0 {
			out = append(out, Route{Destination: r.Dst, Type: r.Type, Protocol: r.Protocol, NextHops: hops})
			continue
		}
		out[i].NextHops = append(out[i].NextHops, hops...)
	}
	return out
}

// Family is ip's option for an address.
func Family(a netip.Addr) string {
	if a.Is6() {
		return "-6"
	}
	return "-4"
}
