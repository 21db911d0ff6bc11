// Package simswitch plays healthy switches for tests of the control plane: it writes the heartbeat, what is heard over LLDP, and
// the answer to each intent into etcd, as an agent does after it has changed its switch. It changes no switch, so a receipt that
// it brings about proves the control plane's bookkeeping and nothing else. Tests may silence a switch, or end its heartbeat.
package simswitch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Switch is one simulated switch. Its methods are safe for concurrent use.
type Switch struct {
	name   string
	client *clientv3.Client
	cancel context.CancelFunc
	ended  chan struct{}
	lease  clientv3.LeaseID

	mu     sync.Mutex
	silent bool
	err    error
	ports  map[string]netmodel.PortIntent
	probes map[string]netmodel.Probe
}

// Start brings a switch up: its heartbeat is there and its intents are answered until Stop.
func Start(ctx context.Context, client *clientv3.Client, name string) (*Switch, error) {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Switch{
		name: name, client: client, cancel: cancel, ended: make(chan struct{}),
		ports: map[string]netmodel.PortIntent{}, probes: map[string]netmodel.Probe{},
	}
	if err := s.up(ctx, run); err != nil {
		cancel()
		return nil, fmt.Errorf("start simulated switch %s: %w", name, err)
	}
	return s, nil
}

func (s *Switch) up(ctx, run context.Context) error {
	lease, err := s.client.Grant(ctx, 60)
	if err != nil {
		return err
	}
	s.lease = lease.ID
	if err := put(ctx, s.client, keys.Alive(s.name), wire.AliveCodec, netmodel.Alive{BootID: "simulated", Since: time.Now()}, clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	status := netmodel.SwitchStatus{Switch: s.name, State: netmodel.AgentFollowing, AgentVersion: "simulated", NetworkOS: "simulated"}
	if err := put(ctx, s.client, keys.AgentStatus(s.name), wire.SwitchStatusCodec, status); err != nil {
		return err
	}
	root := keys.SwitchIntents(s.name)
	list, err := s.client.Get(ctx, root, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	watch := s.client.Watch(run, root, clientv3.WithPrefix(), clientv3.WithRev(list.Header.Revision+1))
	for _, kv := range list.Kvs {
		if err := s.take(string(kv.Key), kv.Value); err != nil {
			return err
		}
	}
	if err := s.answerAll(run); err != nil {
		return err
	}
	go s.follow(run, watch)
	return nil
}

// Stop ends the switch without a word: its heartbeat goes when its lease does, or with Die.
func (s *Switch) Stop() error {
	s.cancel()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Die stops the switch and takes its heartbeat away at once, as its lease's end would.
func (s *Switch) Die(ctx context.Context) error {
	err := s.Stop()
	_, revokeErr := s.client.Revoke(ctx, s.lease)
	return errors.Join(err, revokeErr)
}

// Silence keeps the switch from answering, while its heartbeat stays: its agent hangs.
func (s *Switch) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// Speak answers again, and first all that was asked meanwhile.
func (s *Switch) Speak(ctx context.Context) error {
	s.mu.Lock()
	s.silent = false
	s.mu.Unlock()
	return s.answerAll(ctx)
}

// Hear reports LLDP neighbours of a port; none means that the port went quiet.
func (s *Switch) Hear(ctx context.Context, port string, neighbours ...netmodel.Neighbour) error {
	return put(ctx, s.client, keys.Discovery(s.name, port), wire.DiscoveryCodec,
		netmodel.Discovery{Switch: s.name, Port: port, Neighbours: neighbours})
}

func (s *Switch) follow(ctx context.Context, watch clientv3.WatchChan) {
	defer close(s.ended)
	for r := range watch {
		if err := s.turn(ctx, r); err != nil && ctx.Err() == nil {
			s.mu.Lock()
			s.err = fmt.Errorf("simulated switch %s: %w", s.name, err)
			s.mu.Unlock()
			return
		}
	}
}

func (s *Switch) turn(ctx context.Context, r clientv3.WatchResponse) error {
	if err := r.Err(); err != nil {
		return err
	}
	for _, e := range r.Events {
		if err := s.take(string(e.Kv.Key), e.Kv.Value); err != nil {
			return err
		}
		parts := keys.Split(keys.SwitchIntents(s.name), string(e.Kv.Key))
		if len(parts) != 2 {
			continue
		}
		var err error
		switch parts[0] {
		case "ports":
			err = s.answerPort(ctx, parts[1])
		case "probes":
			err = s.answerProbe(ctx, parts[1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take remembers what is wanted; a value of nothing is a deletion.
func (s *Switch) take(key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := keys.Split(keys.SwitchIntents(s.name), key)
	if len(parts) != 2 {
		return nil
	}
	switch parts[0] {
	case "ports":
		return remember(s.ports, parts[1], value, wire.PortIntentCodec)
	case "probes":
		return remember(s.probes, parts[1], value, wire.ProbeCodec)
	}
	return nil
}

func remember[V any](in map[string]V, id string, value []byte, codec wire.Codec[V]) error {
	if len(value) == 0 {
		delete(in, id)
		return nil
	}
	v, err := codec.Decode(value)
	if err != nil {
		return err
	}
	in[id] = v
	return nil
}

func put[V any](ctx context.Context, client *clientv3.Client, key string, codec wire.Codec[V], v V, opts ...clientv3.OpOption) error {
	b, err := codec.Encode(v)
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, key, string(b), opts...)
	return err
}

// Machine is a neighbour as a machine's LLDP describes it: chassis and port by their MAC addresses.
func Machine(name, chassisMAC, portMAC string) netmodel.Neighbour {
	return netmodel.Neighbour{
		ChassisID: chassisMAC, ChassisIDSubtype: 4, PortID: portMAC, PortIDSubtype: 3,
		SystemName: name, SourceMAC: portMAC, FirstSeen: time.Now(),
	}
}

// origins are the VTEPs of a probe.
func origins(p netmodel.Probe) []netip.Addr {
	var out []netip.Addr
	for _, o := range p.Origins {
		out = append(out, o.Loopback)
	}
	return out
}
