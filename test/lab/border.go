package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Outside is a router of somebody else, and all that is behind it: FRR with an ASN of its own, which tells borders a default route of
// each family.
type Outside struct {
	Name      string
	ASN       uint32
	Addresses []netip.Prefix // on lo: the internet
	Ports     []Uplink
}

const (
	outsideName = "outside01"
	// OutsideASN is the outside's, of those for documentation (RFC 5398).
	OutsideASN = 64496
)

// The internet, of addresses for documentation (RFC 5737 and RFC 3849).
var outsideAddresses = []netip.Prefix{netip.MustParsePrefix("203.0.113.1/32"), netip.MustParsePrefix("2001:db8:ffff::1/128")}

func borderName(n int) string { return fmt.Sprintf("border%02d", n+1) }

// addBorder adds the borders, which follow the last leaf in their numbers, and the outside.
func (t *Topology) addBorder(inv *Inventory, leaves int) {
	if t.Border.Leaves == 0 {
		return
	}
	outside := Outside{Name: outsideName, ASN: OutsideASN, Addresses: outsideAddresses}
	for b := range t.Border.Leaves {
		n := leaves + b
		s := Switch{
			Name: borderName(b), Role: RoleBorder, OS: Linux, ASN: firstLeafASN + uint32(n),
			Loopback: netip.AddrFrom4([4]byte{10, 255, 2, byte(b + 1)}), Management: managementAddress(t.Spines + n),
			Ports: []Port{{Name: swp(1), Number: 1, Role: RoleExternal, MAC: portMAC(kindLeaf, n, 1), Peer: Endpoint{outsideName, lan(b)}}},
		}
		s.Ports = append(s.Ports, t.uplinks(n, Rack{}, Linux)...)
		inv.add(s, n)
		outside.Ports = append(outside.Ports, Uplink{Name: lan(b), MAC: portMAC(kindOutside, 0, b+1), Peer: Endpoint{s.Name, swp(1)}})
	}
	inv.Outside = append(inv.Outside, outside)
}

// outsideSpec gives the outside its FRR. It takes whatever it is told, so that it shows what that is.
func outsideSpec(o Outside) nodeSpec {
	var config strings.Builder
	fmt.Fprintf(&config, "hostname %s\ninterface lo\n", o.Name)
	for _, a := range o.Addresses {
		fmt.Fprintf(&config, " %s address %s\n", frrFamily(a), a)
	}
	fmt.Fprint(&config, "exit\n")
	for _, p := range o.Ports {
		fmt.Fprintf(&config, "interface %s\n ipv6 nd ra-interval 1\n no ipv6 nd suppress-ra\nexit\n", p.Name)
	}
	fmt.Fprintf(&config, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp network import-check\n", o.ASN, o.Addresses[0].Addr())
	for _, p := range o.Ports {
		fmt.Fprintf(&config, " neighbor %s interface remote-as external\n neighbor %s timers 3 9\n neighbor %s timers connect 1\n neighbor %s bfd\n", p.Name, p.Name, p.Name, p.Name)
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		fmt.Fprintf(&config, " address-family %s unicast\n", family)
		for _, p := range o.Ports {
			fmt.Fprintf(&config, "  neighbor %s activate\n  neighbor %s default-originate\n", p.Name, p.Name)
		}
		fmt.Fprint(&config, " exit-address-family\n")
	}
	fmt.Fprint(&config, "exit\n")
	services := slices.DeleteFunc(frrServices(""), func(s Service) bool { return s.Name == "staticd" }) // it has no static route
	return nodeSpec{Name: o.Name, Files: map[string]string{"/etc/frr/frr.conf": config.String()}, Services: services}
}

// frrFamily is FRR's word for a prefix's family.
func frrFamily(p netip.Prefix) string {
	if p.Addr().Is4() {
		return "ip"
	}
	return "ipv6"
}
