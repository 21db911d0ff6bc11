package sonic

import (
	"context"
	"strings"
)

// readTables are those that are read of CONFIG_DB. PORTCHANNEL_MEMBER and VLAN_SUB_INTERFACE tell what ports are part of that is not
// ours.
var readTables = map[string]bool{
	tablePort: true, tableInterface: true, tableVLAN: true, tableMember: true, tableVLANInterface: true, tableVRF: true, tableTunnel: true,
	tableNVO: true, tableTunnelMap: true, tableMetadata: true, tablePortChannelPort: true, tableSubInterface: true,
}

// readConfig reads the rows of CONFIG_DB that matter. The database is small: one walk over its keys costs less than one per table.
func (d databases) readConfig(ctx context.Context) (rows, error) {
	db := d[configDB]
	names, err := db.scan(ctx, "*")
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, n := range names {
		if table, _, ok := strings.Cut(n, db.separator); ok && readTables[table] {
			wanted = append(wanted, n)
		}
	}
	found, err := db.getAll(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := rows{}
	for name, row := range found {
		if k, ok := parseKey(name, db.separator); ok {
			out[k] = row
		}
	}
	return out, nil
}

// acknowledged is what STATE_DB says of the rows of CONFIG_DB, by its own keys without the separator's form: table, name, sub.
type acknowledged map[Key]Row

// Tables of STATE_DB.
const (
	statePort      = "PORT_TABLE"
	stateVLAN      = "VLAN_TABLE"
	stateMember    = "VLAN_MEMBER_TABLE"
	stateInterface = "INTERFACE_TABLE"
	stateVRFObject = "VRF_OBJECT_TABLE" // orchagent's word; VRF_TABLE is only vrfmgrd's
)

// stateOf is the key under which STATE_DB acknowledges a row of CONFIG_DB.
func stateOf(k Key) (Key, bool) {
	tables := map[string]string{tablePort: statePort, tableVLAN: stateVLAN, tableMember: stateMember, tableInterface: stateInterface, tableVLANInterface: stateInterface, tableVRF: stateVRFObject}
	k.Table = tables[k.Table]
	return k, k.Table != ""
}

// readState reads what STATE_DB says of these rows, by their keys: it holds much else that changes all the time.
func (d databases) readState(ctx context.Context, of rows) (acknowledged, error) {
	db := d[stateDB]
	var names []string
	keys := map[string]Key{}
	for k := range of {
		if s, ok := stateOf(k); ok {
			name := s.join(db.separator)
			keys[name] = s
			names = append(names, name)
		}
	}
	found, err := db.getAll(ctx, names)
	if err != nil {
		return nil, err
	}
	out := acknowledged{}
	for name, row := range found {
		out[keys[name]] = row
	}
	return out, nil
}

// portNameMap is the one hash of COUNTERS_DB that is read.
const portNameMap = "COUNTERS_PORT_NAME_MAP"

// readPortOIDs returns the ASIC's numbers of ports, by port.
func (d databases) readPortOIDs(ctx context.Context) (map[string]string, error) {
	row, _, err := d[countersDB].get(ctx, portNameMap)
	return row, err
}
