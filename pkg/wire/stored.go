package wire

import (
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Codec turns a value into the bytes of an etcd key and back.
type Codec[V any] struct {
	Encode func(V) ([]byte, error)
	Decode func([]byte) (V, error)
}

// NewCodec makes a Codec of a pair of conversions.
func NewCodec[V any, M any, PM interface {
	*M
	proto.Message
}](to func(V) PM, from func(PM) (V, error)) Codec[V] {
	return Codec[V]{
		Encode: func(v V) ([]byte, error) { return Marshal(to(v)) },
		Decode: func(b []byte) (V, error) {
			m := PM(new(M))
			if err := Unmarshal(b, m); err != nil {
				var zero V
				return zero, err
			}
			return from(m)
		},
	}
}

// Codecs of what agents and control plane exchange.
var (
	SwitchConfigCodec  = NewCodec[netmodel.SwitchConfig, apiv1.SwitchConfig](SwitchConfigToProto, SwitchConfigFromProto)
	PortIntentCodec    = NewCodec[netmodel.PortIntent, apiv1.PortIntent](PortIntentToProto, PortIntentFromProto)
	ProbeCodec         = NewCodec[netmodel.Probe, apiv1.ProbeIntent](ProbeToProto, ProbeFromProto)
	DiscoveryCodec     = NewCodec[netmodel.Discovery, apiv1.Discovery](DiscoveryToProto, DiscoveryFromProto)
	PortStatusCodec    = NewCodec[netmodel.PortStatus, apiv1.PortStatus](PortStatusToProto, PortStatusFromProto)
	SessionStatusCodec = NewCodec[netmodel.SessionStatus, apiv1.SessionStatus](SessionStatusToProto, SessionStatusFromProto)
	ProbeStatusCodec   = NewCodec[netmodel.ProbeStatus, apiv1.ProbeStatus](ProbeStatusToProto, ProbeStatusFromProto)
	SwitchStatusCodec  = NewCodec[netmodel.SwitchStatus, apiv1.SwitchStatus](SwitchStatusToProto, SwitchStatusFromProto)
	AliveCodec         = NewCodec[netmodel.Alive, apiv1.Alive](AliveToProto, AliveFromProto)
)
