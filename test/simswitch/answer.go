package simswitch

import (
	"context"
	"time"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// answerAll answers everything that is wanted now.
func (s *Switch) answerAll(ctx context.Context) error {
	s.mu.Lock()
	var ports, probes []string
	for p := range s.ports {
		ports = append(ports, p)
	}
	for p := range s.probes {
		probes = append(probes, p)
	}
	s.mu.Unlock()
	for _, p := range ports {
		if err := s.answerPort(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range probes {
		if err := s.answerProbe(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// answerPort says that a port is as it should be, and that its BGP session stands if it should have one.
func (s *Switch) answerPort(ctx context.Context, port string) error {
	s.mu.Lock()
	intent, wanted := s.ports[port]
	silent := s.silent
	s.mu.Unlock()
	if silent {
		return nil
	}
	if !wanted {
		_, err := s.client.Delete(ctx, keys.PortStatus(s.name, port))
		return err
	}
	now := time.Now()
	if err := put(ctx, s.client, keys.PortStatus(s.name, port), wire.PortStatusCodec, netmodel.PortStatus{
		Port: port, AppliedGeneration: intent.Generation, Mode: intent.Mode, VRF: intent.VRF, OperUp: intent.Mode != netmodel.ModeDisabled,
		AppliedTime: now, ReceivedTime: now,
	}); err != nil {
		return err
	}
	if intent.Mode != netmodel.ModeVRF {
		_, err := s.client.Delete(ctx, keys.SessionStatus(s.name, port))
		return err
	}
	return put(ctx, s.client, keys.SessionStatus(s.name, port), wire.SessionStatusCodec, netmodel.SessionStatus{
		Port: port, Generation: intent.Generation, VRF: intent.VRF, State: "Established", Established: true,
		PeerASN: intent.PeerASN, PrefixesReceived: uint32(len(intent.Grants)), EstablishedTime: now,
	})
}

// answerProbe says that all routes are held. The VRF is there if a port of this switch is in it; a spine has none, and is asked
// for its routes all the same.
func (s *Switch) answerProbe(ctx context.Context, allocation string) error {
	s.mu.Lock()
	probe, wanted := s.probes[allocation]
	silent := s.silent
	present := false
	for _, intent := range s.ports {
		present = present || intent.VRF == probe.VRF && intent.Mode == netmodel.ModeVRF
	}
	s.mu.Unlock()
	if silent {
		return nil
	}
	if !wanted {
		_, err := s.client.Delete(ctx, keys.ProbeStatus(s.name, allocation))
		return err
	}
	status := netmodel.ProbeStatus{Allocation: allocation, Generation: probe.Generation, Satisfied: true, VRFPresent: present, Time: time.Now()}
	for _, p := range probe.Prefixes {
		status.Results = append(status.Results, netmodel.ProbeResult{Prefix: p, Origins: origins(probe)})
	}
	return put(ctx, s.client, keys.ProbeStatus(s.name, allocation), wire.ProbeStatusCodec, status)
}
