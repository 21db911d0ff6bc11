// Package inventory registers switches and machines: the provider's own resources. A switch's registration writes its
// configuration and an intent for each machine port. The API calls it, and Run adopts discovered machines if it is told to.
package inventory

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Options of a Service.
type Options struct {
	// AutoAdopt takes each discovered machine into the inventory.
	AutoAdopt bool
	Log       *slog.Logger
}

// Service changes and lists switches and machines. Safe for concurrent use, by any number of replicas.
type Service struct {
	store *store.Store
	o     Options
	wake  chan struct{}
}

// New makes a Service. Call it before the store's Run.
func New(s *store.Store, o Options) *Service {
	return &Service{store: s, o: o, wake: make(chan struct{}, 1)}
}

// SwitchUpdate changes what is not nil.
type SwitchUpdate struct {
	ID          string
	Description *string
	Ports       *[]netmodel.SwitchPort
	MTU         *int
}

// Adoption takes a machine into the inventory by any of its identities. An empty ID is generated.
type Adoption struct {
	ID          string
	SystemUUID  string
	ChassisMAC  string
	PortMACs    []string
	Description string
}

var errNotYet = errors.New("not built yet")

// Run adopts discovered machines until ctx ends, if Options.AutoAdopt says so.
func (s *Service) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// CreateSwitch registers a switch. ASN 0 means the next free one.
func (s *Service) CreateSwitch(ctx context.Context, call store.Call, sw netmodel.Switch) (netmodel.SwitchView, error) {
	return netmodel.SwitchView{}, errNotYet
}

func (s *Service) UpdateSwitch(ctx context.Context, call store.Call, u SwitchUpdate) (netmodel.SwitchView, error) {
	return netmodel.SwitchView{}, errNotYet
}

// DeleteSwitch refuses while a port of it is allocated, or has to prove a release.
func (s *Service) DeleteSwitch(ctx context.Context, call store.Call, id string) error {
	return errNotYet
}

func (s *Service) GetSwitch(id string) (netmodel.SwitchView, error) {
	return netmodel.SwitchView{}, errNotYet
}

// ListSwitches returns switches sorted by id; empty role or rack is any.
func (s *Service) ListSwitches(role netmodel.SwitchRole, rack string) []netmodel.SwitchView {
	return nil
}

func (s *Service) GetMachine(id string) (netmodel.MachineView, error) {
	return netmodel.MachineView{}, errNotYet
}

// ListMachines returns machines, those that are only discovered last; empty state or rack is any.
func (s *Service) ListMachines(state netmodel.MachineState, rack string) []netmodel.MachineView {
	return nil
}

func (s *Service) AdoptMachine(ctx context.Context, call store.Call, a Adoption) (netmodel.MachineView, error) {
	return netmodel.MachineView{}, errNotYet
}

// DeleteMachine refuses while the machine is allocated or releasing.
func (s *Service) DeleteMachine(ctx context.Context, call store.Call, id string) error {
	return errNotYet
}

// OverrideRelease frees a machine whose leaf will not come back to prove its release. call.Reason says why.
func (s *Service) OverrideRelease(ctx context.Context, call store.Call, id string) (netmodel.MachineView, error) {
	return netmodel.MachineView{}, errNotYet
}

// MachineConfig is the file for the host speaker. It refuses (Precondition) when the machine is not allocated.
func (s *Service) MachineConfig(id string) (netmodel.MachineConfig, error) {
	return netmodel.MachineConfig{}, errNotYet
}
