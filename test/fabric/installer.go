package fabric

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// machineFile is where the host speaker looks.
const machineFile = "/etc/pointsman/machine.json"

// installer plays who installs machines: it places the machine file of each allocated machine and removes it on release.
// A real installer does this with the image; the control plane never logs in to a machine.
type installer struct {
	api   *API
	write func(ctx context.Context, machine string, file []byte, config *apiv1.MachineConfig) error
	clear func(ctx context.Context, machine string) error
	log   *slog.Logger

	mu     sync.Mutex
	placed map[string][]byte
	held   map[string]bool // machines whose file a test writes itself
}

const installerInterval = 50 * time.Millisecond

func (i *installer) run(ctx context.Context) {
	tick := time.NewTicker(installerInterval)
	defer tick.Stop()
	for {
		if err := i.pass(ctx); err != nil && ctx.Err() == nil {
			i.log.Debug("install machines", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pass brings every machine's file in line with the allocations there are.
func (i *installer) pass(ctx context.Context) error {
	list, err := i.api.Allocations.ListAllocations(ctx, &apiv1.ListAllocationsRequest{Project: Project})
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	wanted := map[string]bool{}
	for _, a := range list.Allocations {
		if i.held[a.Machine] {
			continue
		}
		wanted[a.Machine] = true
		if err := i.place(ctx, a.Machine); err != nil {
			i.log.Debug("install machine", "machine", a.Machine, "error", err)
		}
	}
	for machine := range i.placed {
		if wanted[machine] || i.held[machine] {
			continue
		}
		if err := i.clear(ctx, machine); err != nil {
			i.log.Debug("wipe machine", "machine", machine, "error", err)
			continue
		}
		delete(i.placed, machine)
	}
	return nil
}

func (i *installer) place(ctx context.Context, machine string) error {
	config, err := i.api.Machines.GetMachineConfig(ctx, &apiv1.GetMachineConfigRequest{Id: machine})
	if err != nil {
		return err
	}
	file, err := protojson.MarshalOptions{Multiline: true}.Marshal(config)
	if err != nil {
		return err
	}
	if bytes.Equal(compact(file), compact(i.placed[machine])) {
		return nil
	}
	if err := i.write(ctx, machine, file, config); err != nil {
		return err
	}
	i.placed[machine] = file
	return nil
}

// hold leaves a machine's file to the caller.
func (i *installer) hold(machine string, held bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held[machine] = held
	if held {
		delete(i.placed, machine)
	}
}

// compact takes spaces out: protojson varies them on purpose.
func compact(text []byte) []byte {
	return bytes.Join(bytes.Fields(text), nil)
}
