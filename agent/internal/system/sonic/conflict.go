package sonic

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxVRFs is how many orchagent of SONiC 202411 takes.
const maxVRFs = 999

// rows are those of CONFIG_DB in the tables that matter to us, by key.
type rows map[Key]Row

// of returns the keys of a table, in SONiC's order.
func (r rows) of(table string) []Key {
	var keys []Key
	for k := range r {
		if k.Table == table {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// where returns the keys of a table whose rows have a value in a field.
func (r rows) where(table, field, value string) []Key {
	return slices.DeleteFunc(r.of(table), func(k Key) bool { return r[k][field] != value })
}

// memberships returns the keys of the VLANs that a port is in.
func (r rows) memberships(port string) []Key {
	return slices.DeleteFunc(r.of(tableMember), func(k Key) bool { return k.Sub != port })
}

// subs returns the keys below a row: its addresses.
func (r rows) subs(table, name string) []Key {
	return slices.DeleteFunc(r.of(table), func(k Key) bool { return k.Name != name || k.Sub == "" })
}

// conflict tells why a row may not be written beside those that are there, or nil. Each of these was seen to kill a daemon, or to
// leave a port or a VRF for good where its row does not say.
func conflict(have rows, key Key, row Row) error {
	switch key.Table {
	case tablePort:
		if _, ok := have[key]; !ok {
			return fmt.Errorf("%s: there is no such port, and a row does not make one", key)
		}
	case tableInterface:
		return interfaceConflict(have, key, row)
	case tableMember:
		return memberConflict(have, key, row)
	case tableVLANInterface:
		return routedConflict(have, key, row, Key{Table: tableVLAN, Name: key.Name})
	case tableVRF:
		return vrfConflict(have, key, row)
	case tableNVO:
		if _, ok := have[Key{Table: tableTunnel, Name: row["source_vtep"]}]; !ok {
			return fmt.Errorf("%s: source_vtep %q is no row of %s", key, row["source_vtep"], tableTunnel)
		}
	case tableTunnelMap:
		return mapConflict(have, key, row)
	}
	return nil
}

func interfaceConflict(have rows, key Key, row Row) error {
	if in := have.memberships(key.Name); len(in) > 0 {
		return fmt.Errorf("%s: the port is a member still: %s; vlanmgrd dies of that", key, in[0])
	}
	if err := lone(have, key, key.Name); err != nil {
		return err
	}
	return routedConflict(have, key, row, Key{Table: tablePort, Name: key.Name})
}

// lone wants a port that nobody else has made part of something.
func lone(have rows, key Key, port string) error {
	for k := range have {
		switch {
		case k.Table == tablePortChannelPort && k.Sub == port:
			return fmt.Errorf("%s: the port is part of %s (%s): take it out there first", key, k.Name, k)
		case k.Table == tableSubInterface && isSubInterface(k.Name, port):
			return fmt.Errorf("%s: the port has a sub-interface (%s): delete it first", key, k)
		}
	}
	return nil
}

func isSubInterface(name, port string) bool {
	return len(name) > len(port)+1 && name[:len(port)+1] == port+"."
}

// routedConflict looks at what an interface is made of: the device, the VRF, and the interface itself where it is an address's row.
func routedConflict(have rows, key Key, row Row, device Key) error {
	parent := Key{Table: key.Table, Name: key.Name}
	switch {
	case have[device] == nil:
		return fmt.Errorf("%s: there is no %s", key, device)
	case key.Sub != "" && have[parent] == nil:
		return fmt.Errorf("%s: an address needs the row %s first", key, parent)
	case key.Sub != "":
		return nil
	}
	if vrf := row["vrf_name"]; vrf != "" && have[Key{Table: tableVRF, Name: vrf}] == nil {
		return fmt.Errorf("%s: vrf_name %q is no row of %s", key, vrf, tableVRF)
	}
	if now, there := have[key]; there && now["vrf_name"] != row["vrf_name"] {
		return fmt.Errorf("%s: vrf_name may not change in place from %q to %q: the ASIC would stay in the old one for ever", key, now["vrf_name"], row["vrf_name"])
	}
	return nil
}

func memberConflict(have rows, key Key, row Row) error {
	if _, ok := have[Key{Table: tableVLAN, Name: key.Name}]; !ok {
		return fmt.Errorf("%s: there is no VLAN|%s", key, key.Name)
	}
	if _, ok := have[Key{Table: tablePort, Name: key.Sub}]; !ok {
		return fmt.Errorf("%s: there is no PORT|%s", key, key.Sub)
	}
	if routed := (Key{Table: tableInterface, Name: key.Sub}); have[routed] != nil {
		return fmt.Errorf("%s: the port is routed still (%s): it would end up in neither", key, routed)
	}
	if err := lone(have, key, key.Sub); err != nil {
		return err
	}
	for _, other := range have.memberships(key.Sub) {
		if other != key && row["tagging_mode"] == "untagged" && have[other]["tagging_mode"] == "untagged" {
			return fmt.Errorf("%s: the port is untagged in %s already, and may be in one VLAN only", key, other.Name)
		}
	}
	return nil
}

func vrfConflict(have rows, key Key, row Row) error {
	now, there := have[key]
	if vrfs := have.of(tableVRF); !there && len(vrfs) >= maxVRFs {
		return fmt.Errorf("%s: there are %d VRFs already, as many as SONiC takes", key, len(vrfs))
	}
	vni := row["vni"]
	if vni == "" || vni == "0" {
		return nil
	}
	for _, other := range have.where(tableVRF, "vni", vni) {
		if other != key {
			return fmt.Errorf("%s: vni %s is that of %s already; the VRF would have no object", key, vni, other)
		}
	}
	if old := now["vni"]; there && old != "" && old != "0" && old != vni {
		return fmt.Errorf("%s: vni may not change in place from %s to %s: nothing would be programmed", key, old, vni)
	}
	if len(have.of(tableNVO)) == 0 {
		return fmt.Errorf("%s: there is no row of %s, without which a VRF with a VNI gets no object", key, tableNVO)
	}
	return nil
}

func mapConflict(have rows, key Key, row Row) error {
	var errs []error
	for _, other := range have.of(tableTunnelMap) {
		if other != key && have[other]["vni"] == row["vni"] {
			errs = append(errs, fmt.Errorf("%s: vni %s is that of %s already; it has to go first, and be gone", key, row["vni"], other))
		}
		if other != key && have[other]["vlan"] == row["vlan"] {
			errs = append(errs, fmt.Errorf("%s: %s has a VNI already, in %s", key, row["vlan"], other))
		}
	}
	if _, ok := have[Key{Table: tableTunnel, Name: key.Name}]; !ok {
		errs = append(errs, fmt.Errorf("%s: there is no %s|%s", key, tableTunnel, key.Name))
	}
	if _, ok := have[Key{Table: tableVLAN, Name: row["vlan"]}]; !ok {
		errs = append(errs, fmt.Errorf("%s: there is no VLAN|%s", key, row["vlan"]))
	}
	return errors.Join(errs...)
}

// with returns the rows as they are after one more was written.
func (r rows) with(key Key, row Row) rows {
	out := maps.Clone(r)
	merged := Row{}
	maps.Copy(merged, r[key])
	maps.Copy(merged, row)
	out[key] = merged
	return out
}
