package frr

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// MistakesSVIs reports whether zebra takes an SVI that comes or goes while its VLAN has no VNI for that of whichever VNI the bridge has (FRR issue
// 23028, seen with 10.3 and told of 10.5). FRR before 9 knows no single VXLAN devices and is not wrong about SVIs. If zebra is away, it is what
// it last was.
func (c *Client) MistakesSVIs(ctx context.Context) bool {
	return versionNumbers(c.lastVersion(ctx, zebra))[0] >= 9
}

// TunnelSVIs are the devices by which zebra routes into VNIs of layer 3, "" where it has none; nothing if it is not wrong about them.
func (c *Client) TunnelSVIs(ctx context.Context) (map[netmodel.VNI]string, error) {
	if !c.MistakesSVIs(ctx) {
		return nil, nil
	}
	text, err := c.show(ctx, zebra, "show evpn vni detail json")
	if err != nil {
		return nil, fmt.Errorf("read VNIs: %w", err)
	}
	return parseTunnelSVIs(text)
}

// parseTunnelSVIs reads the answer: VNIs in a list, or one after the other.
func parseTunnelSVIs(text string) (map[netmodel.VNI]string, error) {
	type vniJSON struct {
		VNI  netmodel.VNI `json:"vni"`
		Type string       `json:"type"`
		SVI  string       `json:"sviIntf"`
	}
	out := map[netmodel.VNI]string{}
	for raw, err := range jsonValues(text) {
		if err != nil {
			return nil, fmt.Errorf("parse VNIs: %w", err)
		}
		var vnis []vniJSON
		if raw[0] != '[' {
			raw = append(append([]byte("["), raw...), ']')
		}
		if err := json.Unmarshal(raw, &vnis); err != nil {
			return nil, fmt.Errorf("parse VNIs: %w", err)
		}
		for _, v := range vnis {
			if v.Type != "L3" {
				continue
			}
			if v.SVI == "None" {
				v.SVI = ""
			}
			out[v.VNI] = v.SVI
		}
	}
	return out, nil
}
