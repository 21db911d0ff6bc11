package frr

import "strings"

// What we own is what our templates can produce: BGP instances in the underlay and in tenants' VRFs, those VRFs, filters and
// BFD profiles of our name, and router advertisements of ports that the wish names. All else in FRR belongs to somebody else:
// it is neither reported nor touched.
const (
	// NamePrefix begins the name of each of our prefix-lists, route-maps, as-path lists and BFD profiles.
	NamePrefix = "PM-"
	// ImportPrefix, with a port's name behind it, is the import route-map of that port and its two prefix-lists; ExportPrefix the same
	// for what the outside is told.
	ImportPrefix = "PM-IN-"
	ExportPrefix = "PM-OUT-"
)

// OwnsVRF reports whether a VRF is ours by its name.
func OwnsVRF(name string) bool { return strings.HasPrefix(name, "Vrf") || name == "provision" }

func ownsName(name string) bool { return strings.HasPrefix(name, NamePrefix) }

// portOfName is the port that a filter is for, or "".
func portOfName(name string) string {
	for _, prefix := range []string{ImportPrefix, ExportPrefix} {
		if port, ok := strings.CutPrefix(name, prefix); ok {
			return port
		}
	}
	return ""
}

// platform are lines that the system or its operator sets, and that mean nothing to us.
var platform = []string{
	"frr version", "frr defaults", "hostname", "domainname", "log ", "service ", "ip forwarding", "ipv6 forwarding",
	"password", "enable password", "debug ", "fpm ", "zebra ", "agentx", "line vty", "username ", "banner ",
	"ip nht ", "ipv6 nht ", "ip protocol ", "ipv6 protocol ", "allow-external-route-update", "mgmt ",
}

func isPlatform(text string) bool {
	text = strings.TrimPrefix(text, "no ")
	for _, p := range platform {
		if strings.HasPrefix(text, p) || text == strings.TrimSuffix(p, " ") {
			return true
		}
	}
	return false
}

// platformSlot is the first word or two of a platform's line: what it sets.
func platformSlot(text string) string {
	words := strings.Fields(strings.TrimPrefix(text, "no "))
	if len(words) > 1 && words[0] != "hostname" && words[0] != "domainname" {
		return words[0] + " " + words[1]
	}
	return words[0]
}

// isOurs reports whether a line at the top is ours, with all that is in it.
func isOurs(l Line) bool {
	words := strings.Fields(l.Text)
	switch {
	case strings.HasPrefix(l.Text, "router bgp "):
		_, vrf, ok := bgpInstance(l.Text)
		return ok && (vrf == "" || OwnsVRF(vrf))
	case words[0] == "vrf" && len(words) == 2:
		return OwnsVRF(words[1])
	case words[0] == "route-map" && len(words) == 4:
		return ownsName(words[1])
	case slot(l.Text) == "bgp route-map delay-timer":
		return true
	}
	entry, ok := parseEntry(l.Text)
	return ok && ownsName(entry.list.name)
}

// foreign returns the lines of have that are not ours. Router advertisements are ours on the ports that want names.
func foreign(have, want Config) []Line {
	var out []Line
	ports := ownedPart(want).ports
	for _, l := range merge(have.Lines) {
		switch {
		case isOurs(l):
		case l.Text == "bfd":
			out = append(out, without(l, isOurProfile)...)
		case ports[strings.TrimPrefix(l.Text, "interface ")] != nil:
			out = append(out, without(l, isAdvertisement)...)
		default:
			out = append(out, l)
		}
	}
	return out
}

// without returns a context without some of its lines, or nothing if nothing is left.
func without(l Line, drop func(text string) bool) []Line {
	var kept []Line
	for _, inner := range l.Lines {
		if !drop(inner.Text) {
			kept = append(kept, inner)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []Line{{Text: l.Text, Lines: kept}}
}

func isOurProfile(text string) bool {
	name, ok := strings.CutPrefix(text, "profile ")
	return ok && ownsName(name)
}

func isAdvertisement(text string) bool {
	return strings.HasPrefix(strings.TrimPrefix(text, "no "), "ipv6 nd ")
}

// IsOwnFilter reports whether a line is a filter of ours: a route-map entry, or an entry of a prefix-list or another list.
func IsOwnFilter(line string) bool {
	if e, ok := parseEntry(line + " "); ok {
		return ownsName(e.list.name)
	}
	words := strings.Fields(line)
	return len(words) == 4 && words[0] == "route-map" && ownsName(words[1])
}
