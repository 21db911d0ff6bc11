package frr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

// TunnelSVIs are the devices by which zebra routes into VNIs of layer 3, "" where it has none. It is nothing for an FRR before 9, which does not
// know single VXLAN devices and is not wrong about them; 10.3 and 10.5 are (FRR issue 23028).
func (c *Client) TunnelSVIs(ctx context.Context) (map[netmodel.VNI]string, error) {
	version, err := c.versionOf(ctx, c.daemons[zebra])
	if err != nil || versionNumbers(version)[0] < 9 {
		return nil, err
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
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
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
}
