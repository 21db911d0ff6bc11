package local

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/intent"
	"github.com/pointsman/pointsman/agent/internal/lldp"
	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// PortsOf joins what is wanted of each port with what was read of it. existing are the ports that the switch has.
func PortsOf(in plan.Intent, statuses map[string]netmodel.PortStatus, sessions []netmodel.SessionStatus, existing []string) []Port {
	bySession := map[string]netmodel.SessionStatus{}
	for _, s := range sessions {
		bySession[s.Port] = s
	}
	out := []Port{}
	for _, p := range in.Config.Ports {
		port := Port{Name: p.Name, Role: string(p.Role), Missing: !slices.Contains(existing, p.Name)}
		if wanted, ok := in.Ports[p.Name]; ok {
			port.WantedMode, port.WantedVRF, port.VNI = string(wanted.Mode), wanted.VRF, wanted.VNI
			port.Allocation, port.WantedGeneration = wanted.Allocation, wanted.Generation
		}
		if s, ok := statuses[p.Name]; ok {
			port.OperUp, port.Mode, port.VRF, port.Error = s.OperUp, string(s.Mode), s.VRF, s.Error
			port.AppliedGeneration, port.RevertedGeneration = s.AppliedGeneration, s.RevertedGeneration
		}
		if s, ok := bySession[p.Name]; ok {
			port.Session = sessionOf(s)
		}
		out = append(out, port)
	}
	return out
}

func sessionOf(s netmodel.SessionStatus) *Session {
	return &Session{
		State: s.State, Established: s.Established, Since: Moment(s.EstablishedTime), PeerASN: s.PeerASN,
		Prefixes: s.PrefixesReceived, LastReset: s.LastResetReason,
	}
}

// Moment is a time that may be none.
func Moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// IntentOf is a snapshot in the store's words.
func IntentOf(s intent.Snapshot) (Intent, error) {
	out := Intent{
		State: string(s.State), Reason: s.Reason, FromDisk: s.FromDisk, Ports: map[string]json.RawMessage{},
		Received: s.Received, Problems: map[string]string{},
	}
	var err error
	if out.Config, err = wire.SwitchConfigCodec.Encode(s.Intent.Config); err != nil {
		return out, fmt.Errorf("encode switch configuration: %w", err)
	}
	for port, in := range s.Intent.Ports {
		if out.Ports[port], err = wire.PortIntentCodec.Encode(in); err != nil {
			return out, fmt.Errorf("encode intent of port %q: %w", port, err)
		}
	}
	for port, problem := range s.Problems {
		out.Problems[port] = problem.Error()
	}
	return out, nil
}

// NeighboursOf is what a listener has heard.
func NeighboursOf(l *lldp.Listener) Neighbours {
	out := Neighbours{Listening: l.Listening(), Neighbours: []Neighbour{}}
	for _, h := range l.Heard() {
		n := h.Neighbour
		out.Neighbours = append(out.Neighbours, Neighbour{
			Port: h.Port, SystemName: n.SystemName, ChassisID: n.ChassisID, PortID: n.PortID, PortDescription: n.PortDescription,
			Description: n.SystemDescription, SourceMAC: n.SourceMAC, FirstSeen: n.FirstSeen.UTC(), Expires: h.Expires.UTC(),
		})
	}
	return out
}
