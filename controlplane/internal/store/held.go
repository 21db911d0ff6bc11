package store

import (
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// HeldCodec is the stored form of a held number.
var HeldCodec = wire.NewCodec[Held, apiv1.HeldNumber](heldToProto, heldFromProto)

func heldToProto(v Held) *apiv1.HeldNumber {
	state := apiv1.IPState_IP_STATE_HELD
	if v.State == netmodel.IPQuarantined {
		state = apiv1.IPState_IP_STATE_QUARANTINED
	}
	return &apiv1.HeldNumber{State: state, Project: v.Project, Allocation: v.Allocation, Network: v.Network}
}

func heldFromProto(m *apiv1.HeldNumber) (Held, error) {
	state := netmodel.IPHeld
	if m.GetState() == apiv1.IPState_IP_STATE_QUARANTINED {
		state = netmodel.IPQuarantined
	}
	return Held{State: state, Project: m.GetProject(), Allocation: m.GetAllocation(), Network: m.GetNetwork()}, nil
}
