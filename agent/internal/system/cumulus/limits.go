package cumulus

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Tables that ifupdown2 on Cumulus Linux gives to VRFs, and takes: "vrf table id out of reserved range" is an error.
const (
	firstTable = 1001
	lastTable  = 1255
)

// The VLANs that switchd keeps for itself where its configuration names no other range.
const (
	firstReserved = 3000
	lastReserved  = 3999
)

// switchdFile names the range in the line "resv_vlan_range = 3600-3999".
const switchdFile = "etc/cumulus/switchd.conf"

// limits are what a switch takes. VRFs of others count, and mgmt has the first table as a rule: ours begin with the first that is free.
func limits(files fs.FS, taken []uint32) (plan.Capabilities, plan.Ranges, error) {
	c, r := plan.LinuxCapabilities, plan.DefaultRanges
	r.FirstTable, r.LastTable = firstTable, lastTable
	c.MaxVRFs = lastTable - firstTable + 1
	for _, table := range taken {
		if table >= firstTable && table <= lastTable {
			c.MaxVRFs--
		}
	}
	for slices.Contains(taken, r.FirstTable) && r.FirstTable < lastTable {
		r.FirstTable++
	}
	var err error
	c.FirstReservedVLAN, c.LastReservedVLAN, err = reservedVLANs(files)
	return c, r, err
}

func reservedVLANs(files fs.FS) (first, last uint16, err error) {
	raw, err := fs.ReadFile(files, switchdFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, fmt.Errorf("read the VLANs that switchd keeps: %w", err)
	}
	for line := range bytes.Lines(raw) {
		name, value, ok := strings.Cut(string(line), "=")
		if !ok || strings.TrimSpace(name) != "resv_vlan_range" {
			continue
		}
		value = strings.TrimSpace(value)
		if n, err := fmt.Sscanf(value, "%d-%d", &first, &last); n != 2 || err != nil || first < 2 || first > last || last > 4094 {
			return 0, 0, fmt.Errorf("/%s: resv_vlan_range %q is no range of VLANs", switchdFile, value)
		}
		return first, last, nil
	}
	return firstReserved, lastReserved, nil
}
