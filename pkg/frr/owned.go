package frr

import (
	"regexp"
	"strings"
)

// owned is the part of a configuration that is ours, taken apart.
type owned struct {
	settings  []string               // lines at the top
	vrfs      map[string][]string    // lines of each VRF
	ports     map[string][]string    // router advertisement lines of each interface
	instances map[string]instance    // BGP, by VRF; "" is the underlay
	lists     map[list][]entry       // prefix-lists and as-path lists
	maps      map[string][]mapClause // route-maps
	profiles  map[string][]string    // BFD
}

// instance is a BGP instance.
type instance struct {
	header   string // "router bgp 65000 vrf Vrf1"
	asn      string
	globals  []string
	families []family
}

type family struct {
	header string // "address-family ipv4 unicast"
	lines  []string
}

// list names a filter list: kind is the command in front of the name.
type list struct{ kind, name string }

// entry is one entry of a list.
type entry struct {
	list list
	seq  string
	text string // the whole line
}

// mapClause is an entry of a route-map: its header and what is in it.
type mapClause struct {
	header string
	lines  []string
}

var (
	entryPattern    = regexp.MustCompile(`^(ip prefix-list|ipv6 prefix-list|bgp as-path access-list|bgp (?:large-|ext)?community-list (?:standard|expanded)) (\S+) seq (\d+) `)
	instancePattern = regexp.MustCompile(`^router bgp (\S+)(?: vrf (\S+))?$`)
)

func parseEntry(text string) (entry, bool) {
	m := entryPattern.FindStringSubmatch(text)
	if m == nil {
		return entry{}, false
	}
	return entry{list: list{m[1], m[2]}, seq: m[3], text: text}, true
}

func bgpInstance(text string) (asn, vrf string, ok bool) {
	m := instancePattern.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// ownedPart takes apart what is ours in a configuration.
func ownedPart(c Config) owned {
	o := owned{
		vrfs: map[string][]string{}, ports: map[string][]string{}, instances: map[string]instance{},
		lists: map[list][]entry{}, maps: map[string][]mapClause{}, profiles: map[string][]string{},
	}
	for _, l := range c.normalised().Lines {
		if name, ok := strings.CutPrefix(l.Text, "interface "); ok {
			if lines := texts(l.Lines, isAdvertisement); len(lines) > 0 {
				o.ports[name] = lines
			}
			continue
		}
		if l.Text == "bfd" {
			o.addProfiles(l.Lines)
			continue
		}
		if isOurs(l) {
			o.add(l)
		}
	}
	return o
}

func (o *owned) add(l Line) {
	if e, ok := parseEntry(l.Text); ok {
		o.lists[e.list] = append(o.lists[e.list], e)
		return
	}
	if asn, vrf, ok := bgpInstance(l.Text); ok {
		o.instances[vrf] = instanceOf(l, asn)
		return
	}
	words := strings.Fields(l.Text)
	switch words[0] {
	case "vrf":
		o.vrfs[words[1]] = texts(l.Lines, nil)
	case "route-map":
		o.maps[words[1]] = append(o.maps[words[1]], mapClause{l.Text, texts(l.Lines, nil)})
	default:
		o.settings = append(o.settings, l.Text)
	}
}

func (o *owned) addProfiles(lines []Line) {
	for _, l := range lines {
		if isOurProfile(l.Text) {
			o.profiles[l.Text] = texts(l.Lines, nil)
		}
	}
}

func instanceOf(l Line, asn string) instance {
	in := instance{header: l.Text, asn: asn}
	for _, inner := range l.Lines {
		if opens(inner.Text) {
			in.families = append(in.families, family{inner.Text, texts(inner.Lines, nil)})
		} else {
			in.globals = append(in.globals, inner.Text)
		}
	}
	return in
}

// lines are those of an address family.
func (in instance) lines(header string) []string {
	for _, f := range in.families {
		if f.header == header {
			return f.lines
		}
	}
	return nil
}

// neighbours returns what makes each neighbour and peer-group what it is: if that changes, it must go and come anew.
func (in instance) neighbours() map[string]string {
	identity := map[string]string{}
	groups := map[string]bool{}
	for _, text := range in.globals {
		name, setting, ok := neighbourLine(text)
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(setting, " ")
		switch {
		case setting == "peer-group":
			groups[name] = true
			identity[name] = setting
		case first == "interface", first == "remote-as" && !groups[name], first == "peer-group":
			identity[name] += setting + "\n"
		}
	}
	return identity
}

// isInterface reports whether a neighbour is made by its interface.
func isInterface(identity string) bool { return strings.HasPrefix(identity, "interface") }

// isGroup reports whether it is a peer-group.
func isGroup(identity string) bool { return identity == "peer-group" }

// texts are the commands of lines that keep accepts. Lines deeper than that are not ours.
func texts(lines []Line, keep func(string) bool) []string {
	var out []string
	for _, l := range lines {
		if keep == nil || keep(l.Text) {
			out = append(out, l.Text)
		}
	}
	return out
}
