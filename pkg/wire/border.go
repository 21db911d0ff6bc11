package wire

import (
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func externalPeerToProto(v netmodel.ExternalPeer) *apiv1.ExternalPeer {
	if v == (netmodel.ExternalPeer{}) {
		return nil
	}
	return &apiv1.ExternalPeer{Project: v.Project, Network: v.Network, Asn: uint32(v.ASN), MaximumPrefix: uint32(v.MaximumPrefix)}
}

func externalPeerFromProto(m *apiv1.ExternalPeer) netmodel.ExternalPeer {
	return netmodel.ExternalPeer{Project: m.GetProject(), Network: m.GetNetwork(), ASN: netmodel.ASN(m.GetAsn()), MaximumPrefix: int(m.GetMaximumPrefix())}
}

func externalSessionToProto(v *netmodel.ExternalSession) *apiv1.ExternalSession {
	if v == nil {
		return nil
	}
	return &apiv1.ExternalSession{Exports: stringsOf(v.Exports), MaximumPrefix: uint32(v.MaximumPrefix)}
}

func (f *fields) externalSession(m *apiv1.ExternalSession) *netmodel.ExternalSession {
	if m == nil {
		return nil
	}
	return &netmodel.ExternalSession{Exports: f.prefixes("external.exports", m.GetExports()), MaximumPrefix: int(m.GetMaximumPrefix())}
}

// VRFIntentToProto converts what a border must have of a VRF.
func VRFIntentToProto(v netmodel.VRFIntent) *apiv1.VRFIntent {
	m := &apiv1.VRFIntent{
		Switch: v.Switch, Vrf: v.VRF, Generation: v.Generation, Vni: uint32(v.VNI), Project: v.Project, Network: v.Network,
		Imports: grantsToProto(v.Imports), Exports: stringsOf(v.Exports),
	}
	for _, p := range v.Peers {
		m.Peers = append(m.Peers, &apiv1.VRFPeer{Port: p.Port, Asn: uint32(p.ASN), MaximumPrefix: uint32(p.MaximumPrefix)})
	}
	return m
}

// VRFIntentFromProto reads what a border must have of a VRF.
func VRFIntentFromProto(m *apiv1.VRFIntent) (netmodel.VRFIntent, error) {
	var f fields
	v := netmodel.VRFIntent{
		Switch: m.GetSwitch(), VRF: m.GetVrf(), Generation: m.GetGeneration(), VNI: netmodel.VNI(m.GetVni()), Project: m.GetProject(), Network: m.GetNetwork(),
		Imports: f.grants("imports.prefix", m.GetImports()), Exports: f.prefixes("exports", m.GetExports()),
	}
	for _, p := range m.GetPeers() {
		v.Peers = append(v.Peers, netmodel.VRFPeer{Port: p.GetPort(), ASN: netmodel.ASN(p.GetAsn()), MaximumPrefix: int(p.GetMaximumPrefix())})
	}
	return v, f.err("VRFIntent")
}

// VRFIntentCodec is the stored form.
var VRFIntentCodec = NewCodec[netmodel.VRFIntent, apiv1.VRFIntent](VRFIntentToProto, VRFIntentFromProto)
