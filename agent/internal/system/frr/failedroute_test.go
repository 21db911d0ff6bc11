package frr

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"github.com/pointsman/pointsman/agent/internal/system"
)

func TestParseFailedRoutes(t *testing.T) {
	const (
		failed = `"10.9.0.0/24":[{"prefix":"10.9.0.0/24","protocol":"bgp","vrfName":"default","selected":true,"failed":true,"table":254,"nexthopGroupId":8,"nexthops":[{"flags":3}]}]`
		other  = `"fd00::1/128":[{"prefix":"fd00::1/128","protocol":"static","selected":true,"failed":true,"table":1001,"nexthopGroupId":9},{"prefix":"fd00::1/128","protocol":"bgp","failed":true,"table":1001}]`
		good   = `"10.0.3.0/24":[{"prefix":"10.0.3.0/24","protocol":"connected","selected":true,"installed":true,"table":77,"nexthopGroupId":28}]`
	)
	want := []system.FailedRoute{
		{Table: 254, Prefix: netip.MustParsePrefix("10.9.0.0/24"), Protocol: "bgp", Group: 8}, {Table: 1001, Prefix: netip.MustParsePrefix("fd00::1/128"), Protocol: "static", Group: 9},
	}
	for name, test := range map[string]struct {
		text string
		want []system.FailedRoute
	}{
		"one VRF after the other": {`{` + good + `}{}{` + failed + `,` + good + `}{` + other + `}`, want},
		"VRFs in an object":       {`{"Vrf1":{` + other + `},"default":{` + failed + `,` + good + `},"Vrf2":{}}`, want},
		"none":                    {`{` + good + `}`, nil},
		"nothing":                 {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseFailedRoutes(test.text)
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b system.FailedRoute) int { return cmp.Compare(a.Table, b.Table) })
			if !slices.Equal(got, test.want) {
				t.Errorf("failed %v, want %v", got, test.want)
			}
		})
	}
	if got, err := parseFailedRoutes(`{"10.0.0.0/8":[{"prefix":"nonsense"}]}`); err == nil {
		t.Errorf("nonsense is %v", got)
	}
}
