package command

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

func TestPortsWithPeers(t *testing.T) {
	external := func(peer *apiv1.ExternalPeer) *apiv1.SwitchPort {
		return &apiv1.SwitchPort{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_EXTERNAL, External: peer}
	}
	for text, want := range map[string]*apiv1.SwitchPort{
		"uplink":                      {Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_UPLINK},
		"external:internet:64496":     external(&apiv1.ExternalPeer{Network: "internet", Asn: 64496}),
		"external:ops/internet:1:200": external(&apiv1.ExternalPeer{Project: "ops", Network: "internet", Asn: 1, MaximumPrefix: 200}),
		"external:internet":           nil,
		"external:internet:AS1":       nil,
		"external:internet:1:2:3":     nil,
		"outside:internet:1":          nil,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ports(map[string]string{"swp1": text})
			if want == nil {
				if err == nil {
					t.Errorf("%v is taken", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]*apiv1.SwitchPort{want}, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARegisteredBorderIsTheSame(t *testing.T) {
	there := &apiv1.SwitchPort{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_EXTERNAL, External: &apiv1.ExternalPeer{Project: "default", Network: "internet", Asn: 64496}}
	asked := &apiv1.SwitchPort{Name: "swp1", Role: apiv1.PortRole_PORT_ROLE_EXTERNAL, External: &apiv1.ExternalPeer{Network: "internet", Asn: 64496}}
	if !samePort(there, asked) {
		t.Error("a project that is left out differs")
	}
	asked.External.Asn = 64497
	if samePort(there, asked) {
		t.Error("another ASN does not differ")
	}
}
