package sonic

import (
	"context"
	"fmt"
	"sync"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/pkg/frr"
)

// Apply implements system.System. Ports move at once, and tenants come and go at once: who waits for the ASIC holds up nobody else.
func (s *System) Apply(ctx context.Context, ops []plan.Op) []plan.Result {
	if len(ops) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ops = arrange(ops)
	e := &executor{System: s, ctx: ctx, kernel: s.Executor(ctx), changes: newChanges(), aims: aimsOf(ops), isolation: map[string]bool{}}
	if err := e.begin(); err != nil {
		e.unfit = fmt.Errorf("begin to change SONiC: %w", err)
	}
	return system.RunInLanes(ops, s.around(e), e.lane)
}

// executor carries out the steps of one Apply.
type executor struct {
	*System
	ctx     context.Context
	changes *changes
	aims    aims
	unfit   error // why SONiC cannot be changed now

	kernelMu sync.Mutex
	kernel   system.Executor

	vtepMu sync.Mutex // there is one tunnel, and every tenant needs it

	mu        sync.Mutex
	config    rows            // of CONFIG_DB, our own changes included
	isolation map[string]bool // of ports that are about to enter the bridge
}

// begin reads what rows there are, and begins to hear changes.
func (e *executor) begin() error {
	if err := e.dbs.ready(e.ctx); err != nil {
		return err
	}
	var err error
	if e.config, err = e.dbs.readConfig(e.ctx); err != nil {
		return err
	}
	e.names.learn(e.config)
	told, done, err := e.dbs.listen(e.ctx, acknowledgements, func(string, string) { e.changes.happened() })
	if err != nil || !told {
		return err
	}
	e.changes.told = true
	go func() { // deaf, waits look more often
		<-done //nolint:errcheck // why it is deaf changes nothing
		e.changes.mu.Lock()
		e.changes.told = false
		e.changes.mu.Unlock()
	}()
	return nil
}

// Do implements system.Executor.
func (e *executor) Do(op plan.Op) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := e.do(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// Configure implements system.Executor.
func (e *executor) Configure(changes []frr.Change) []error {
	e.kernelMu.Lock()
	defer e.kernelMu.Unlock()
	return e.kernel.Configure(changes)
}

// plainly has the kernel do it, as on any Linux.
func (e *executor) plainly(op plan.Op) error {
	e.kernelMu.Lock()
	defer e.kernelMu.Unlock()
	return e.kernel.Do(op)
}

// do carries out what SONiC owns by rows, and the rest plainly. Rows are refused while SONiC is not ready.
func (e *executor) do(op plan.Op) error {
	carry := e.rowStep(op)
	if carry == nil {
		return e.plainly(op)
	}
	if e.unfit != nil {
		return e.unfit
	}
	return carry()
}

// rowStep returns what a step means in rows; nil if nothing.
func (e *executor) rowStep(op plan.Op) func() error {
	switch o := op.(type) {
	case plan.AddVRF:
		return func() error { return e.addVRF(o.Name) }
	case plan.DeleteVRF:
		return func() error { return e.deleteVRF(o.Name) }
	case plan.AddUnreachable:
		return func() error { return e.addUnreachable(o) }
	case plan.AddBridge:
		return func() error { return e.awaitBridge(o.Bridge) }
	case plan.SetVLANFiltering:
		return func() error { return errBridge }
	case plan.AddSVI:
		return func() error { return e.addSVI(o.VLAN, o.SVI) }
	case plan.DeleteSVI:
		return func() error { return e.deleteSVI(o.VLAN) }
	case plan.AddVNI:
		return func() error { return e.addVNI(o.VNI, o.VXLAN) }
	case plan.DeleteVNI:
		return func() error { return e.deleteVNI(o.VNI) }
	case plan.SetMTU:
		return e.rowOfDevice(o.Device, func() error { return e.setPortMTU(o.Device, o.MTU) }, func(vlan uint16) error { return e.setVLANMTU(vlan, o) }, nil)
	case plan.SetUp:
		return e.rowOfDevice(o.Device, func() error { return e.setPortUp(o) }, nil, func() error { return e.mendVRF(o) })
	case plan.SetMaster:
		return e.rowOfDevice(o.Device, func() error { return e.movePort(o) }, func(vlan uint16) error { return e.moveSVI(vlan, o.To) }, nil)
	case plan.SetBridgePort:
		return e.rowOfDevice(o.Device, func() error { return e.setBridgePort(o) }, nil, nil)
	case plan.AddMember:
		if o.Device == plan.BridgeName {
			return func() error { return e.addVLAN(o.Member.VLAN) }
		}
		return e.rowOfDevice(o.Device, func() error { return e.enterVLAN(o.Device, o.Member) }, nil, nil)
	case plan.DeleteMember:
		if o.Device == plan.BridgeName {
			return func() error { return e.deleteVLAN(o.VLAN) }
		}
		return e.rowOfDevice(o.Device, func() error { return e.leaveVLAN(o) }, nil, nil)
	case plan.SaveKernel:
		return func() error { return e.save(e.ctx, o.Kernel) }
	case plan.AddAddress:
		return e.rowOfDevice(o.Device, nil, func(vlan uint16) error { return e.addAddress(vlan, o.Prefix) }, nil)
	case plan.DeleteAddress:
		return e.rowOfDevice(o.Device, nil, func(vlan uint16) error { return e.deleteAddress(vlan, o) }, nil)
	}
	return nil
}

// rowOfDevice chooses by what kind of device a step is about. VRFs are those of the rows.
func (e *executor) rowOfDevice(device string, port func() error, svi func(vlan uint16) error, vrf func() error) func() error {
	switch vlan, isVLAN := vlanOf(device); {
	case isPort(device):
		return port
	case isVLAN && svi != nil:
		return func() error { return svi(vlan) }
	case vrf != nil && e.has(Key{Table: tableVRF, Name: vrfRow(device)}):
		return vrf
	}
	return nil
}
