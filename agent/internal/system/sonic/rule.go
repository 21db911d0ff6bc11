package sonic

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tables of CONFIG_DB that the agent reads or writes.
const (
	tablePort            = "PORT"
	tableInterface       = "INTERFACE"
	tableVLAN            = "VLAN"
	tableMember          = "VLAN_MEMBER"
	tableVLANInterface   = "VLAN_INTERFACE"
	tableVRF             = "VRF"
	tableTunnel          = "VXLAN_TUNNEL"
	tableNVO             = "VXLAN_EVPN_NVO"
	tableTunnelMap       = "VXLAN_TUNNEL_MAP"
	tableMetadata        = "DEVICE_METADATA"
	tablePortChannelPort = "PORTCHANNEL_MEMBER"
	tableSubInterface    = "VLAN_SUB_INTERFACE"
)

// RuleError is a row that SONiC's daemons would not survive, or would drop in silence. Nothing of it was written.
type RuleError struct {
	Key Key
	// Field is "" where the key itself is wrong.
	Field, Value string
	Bound        string
}

func (e *RuleError) Error() string {
	what := "key"
	if e.Field != "" {
		what = e.Field
	}
	return fmt.Sprintf("%s: %s %q is not %s", e.Key, what, e.Value, e.Bound)
}

// rule is what a value must be, and how that is said.
type rule struct {
	bound string
	holds func(value string) bool
}

func number(first, last uint64) rule {
	return rule{fmt.Sprintf("in %d..%d", first, last), func(v string) bool {
		n, err := strconv.ParseUint(v, 10, 64)
		return err == nil && strconv.FormatUint(n, 10) == v && n >= first && n <= last
	}}
}

func oneOf(words ...string) rule {
	return rule{"one of " + strings.Join(words, ", "), func(v string) bool { return slices.Contains(words, v) }}
}

func form(said, pattern string) rule {
	return rule{said, regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString}
}

var (
	ruleVRF  = form("Vrf and up to 12 of a-z, A-Z, 0-9, _ and -", `Vrf[a-zA-Z0-9_-]{1,12}`)
	rulePort = form("a port: Ethernet and its number", `Ethernet(?:0|[1-9][0-9]{0,3})`)
	ruleVLAN = rule{"Vlan2..Vlan4094", func(v string) bool { _, ok := vlanOf(v); return ok }}
	ruleVTEP = form("up to 10 letters and digits: its devices are called NAME-VLAN", `[a-zA-Z][a-zA-Z0-9]{0,9}`)
	ruleName = form("up to 32 letters, digits, _ and -", `[a-zA-Z0-9_-]{1,32}`)
	ruleNet  = rule{"an address with its prefix length", func(v string) bool {
		p, err := netip.ParsePrefix(v)
		return err == nil && !p.Addr().Is4In6() && p.Addr().Zone() == "" && p.String() == v
	}}
	ruleSource = rule{"an IPv4 address", func(v string) bool { a, err := netip.ParseAddr(v); return err == nil && a.Is4() }}
	ruleMode   = oneOf("enable", "disable")
	ruleStatus = oneOf("up", "down")
)

// table says what its rows may be. Fields that are not named are never written.
type table struct {
	name, sub rule // sub is the zero rule where keys have two parts only
	fields    map[string]rule
	needs     []string // fields that must be there
}

// rules are those of the YANG models, which nobody enforces on direct writes, and of the daemons that die of what breaks them.
var rules = map[string]table{
	tablePort:          {name: rulePort, fields: map[string]rule{"admin_status": ruleStatus, "mtu": number(68, 9216)}},
	tableInterface:     {name: rulePort, sub: ruleNet, fields: map[string]rule{"vrf_name": ruleVRF, "ipv6_use_link_local_only": ruleMode}},
	tableVLANInterface: {name: ruleVLAN, sub: ruleNet, fields: map[string]rule{"vrf_name": ruleVRF, "ipv6_use_link_local_only": ruleMode}},
	tableVLAN: {name: ruleVLAN, needs: []string{"vlanid"}, fields: map[string]rule{
		"vlanid": number(2, 4094), "mtu": number(1, 9216), "admin_status": ruleStatus, "description": form("1 to 255 characters", `.{1,255}`),
	}},
	tableMember:    {name: ruleVLAN, sub: rulePort, needs: []string{"tagging_mode"}, fields: map[string]rule{"tagging_mode": oneOf("tagged", "untagged")}},
	tableVRF:       {name: ruleVRF, fields: map[string]rule{"vni": number(0, 16777215)}},
	tableTunnel:    {name: ruleVTEP, needs: []string{"src_ip"}, fields: map[string]rule{"src_ip": ruleSource}},
	tableNVO:       {name: ruleName, needs: []string{"source_vtep"}, fields: map[string]rule{"source_vtep": ruleVTEP}},
	tableTunnelMap: {name: ruleVTEP, sub: form("map_VNI_VlanID", `map_[1-9][0-9]*_Vlan[1-9][0-9]*`), needs: []string{"vlan", "vni"}, fields: map[string]rule{"vlan": ruleVLAN, "vni": number(1, 16777215)}},
}

// alwaysSub and neverSub are tables whose keys have three parts, or two; the keys of the others may have either.
var alwaysSub, neverSub = map[string]bool{tableMember: true, tableTunnelMap: true}, map[string]bool{tablePort: true, tableVLAN: true, tableVRF: true, tableTunnel: true, tableNVO: true}

// validate tells what is wrong with a row by itself, before it is written.
func validate(key Key, row Row) error {
	t, ok := rules[key.Table]
	bad := func(field, value, bound string) error { return &RuleError{key, field, value, bound} }
	switch {
	case !ok:
		return bad("", key.Table, "a table that the agent writes")
	case !t.name.holds(key.Name):
		return bad("", key.Name, t.name.bound)
	case alwaysSub[key.Table] && key.Sub == "", neverSub[key.Table] && key.Sub != "":
		return bad("", key.String(), "complete: its table has keys of another form")
	case key.Sub != "" && !t.sub.holds(key.Sub):
		return bad("", key.Sub, t.sub.bound)
	case key.Sub != "" && !alwaysSub[key.Table] && len(row) > 0:
		return bad("", row.String(), "empty: an address has no fields")
	}
	for _, f := range slices.Sorted(maps.Keys(row)) {
		r, known := t.fields[f]
		if !known {
			return bad(f, row[f], "a field that the agent writes")
		}
		if !r.holds(row[f]) {
			return bad(f, row[f], r.bound)
		}
	}
	return complete(key, row, t)
}

// complete looks at fields that must be there, or must agree with the key.
func complete(key Key, row Row, t table) error {
	for _, f := range t.needs {
		if _, there := row[f]; !there {
			return &RuleError{key, f, "", "there, and must be"}
		}
	}
	switch key.Table {
	case tableVLAN:
		if want := strings.TrimPrefix(key.Name, "Vlan"); row["vlanid"] != want {
			return &RuleError{key, "vlanid", row["vlanid"], "that of the key, " + want}
		}
	case tableTunnelMap:
		if want := mapName(row["vni"], row["vlan"]); key.Sub != want {
			return &RuleError{key, "", key.Sub, "of the form that orchagent parses, " + want}
		}
	}
	return nil
}

// vlanOf is the number in Vlan1000.
func vlanOf(name string) (uint16, bool) {
	digits, ok := strings.CutPrefix(name, "Vlan")
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), ok && err == nil && strconv.FormatUint(n, 10) == digits && n >= 2 && n <= 4094
}

// mapName is the name of a tunnel's map, from which orchagent reads both numbers.
func mapName(vni, vlan string) string { return "map_" + vni + "_" + vlan }
