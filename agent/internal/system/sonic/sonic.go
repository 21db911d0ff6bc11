// Package sonic is the network operating system SONiC: it observes a switch by what its databases, its ASIC and the kernel agree on,
// and carries out the planner's steps as rows of CONFIG_DB, in the order that SONiC's daemons survive, each waited for until the
// ASIC has it. What SONiC does not own (policy rules, routes that end VRFs, sysctls, nftables, FRR) goes through package linux. It
// decides nothing. The reconcile package calls it.
//
// SONiC's daemons work by sorted key and coalesce what comes close together, and some of them die of what they do not expect; with
// orchagent dies the data plane. So rows are validated before they are written (rule.go, conflict.go), a port is out of its old place
// in the ASIC before it is told to enter a new one (port.go), and nothing that the ASIC would not follow is changed in place.
//
// Which rows are ours is said in own.go. Others' are neither reported nor touched.
package sonic

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
	"github.com/pointsman/pointsman/agent/internal/system/linux"
)

// Where SONiC keeps what the agent must find.
const (
	DefaultDatabaseConfig = "/var/run/redis/sonic-db/database_config.json"
	DefaultConfigFile     = "/etc/sonic/config_db.json"
)

// Options of a System.
type Options struct {
	// Linux is the kernel's and FRR's side. Names and PortName are set here.
	Linux linux.Options
	// DatabaseConfig says where the databases are, ConfigFile is what a reboot restores. Default: where SONiC has them.
	DatabaseConfig, ConfigFile string
	// Deadline is how long SONiC's daemons may take for one step of one port; 0 means 20 s.
	Deadline time.Duration
}

// System is a switch that runs SONiC. Its methods may be called concurrently, but two Applys at once make no sense.
type System struct {
	*linux.System
	dbs        databases
	asic       *asic
	names      *names
	routing    linux.FRR
	configFile string
	deadline   time.Duration
	log        *slog.Logger
	// around is put around what carries out steps: tests make steps fail with it.
	around func(system.Executor) system.Executor
	// careless leaves out all waits. Only tests do, to show what becomes of a switch then.
	careless bool
}

var _ system.Switch = (*System)(nil)

// New opens the kernel of the calling thread's network namespace, and finds the databases. Redis need not run yet.
func New(o Options) (*System, error) {
	if o.DatabaseConfig == "" {
		o.DatabaseConfig = DefaultDatabaseConfig
	}
	if o.ConfigFile == "" {
		o.ConfigFile = DefaultConfigFile
	}
	if o.Deadline == 0 {
		o.Deadline = 20 * time.Second
	}
	if o.Linux.Log == nil {
		o.Linux.Log = slog.New(slog.DiscardHandler)
	}
	dbs, err := openDatabases(o.DatabaseConfig)
	if err != nil {
		return nil, err
	}
	names := newNames()
	names.tell(o.Linux.FRR)
	o.Linux.Names, o.Linux.PortName = names, isPort
	kernel, err := linux.New(o.Linux)
	if err != nil {
		_ = dbs.close()
		return nil, err
	}
	return &System{
		System: kernel, dbs: dbs, asic: newASIC(dbs[asicDB]), names: names, routing: o.Linux.FRR, configFile: o.ConfigFile, deadline: o.Deadline, log: o.Linux.Log,
		around: func(e system.Executor) system.Executor { return e },
	}, nil
}

// Close releases the kernel and the databases.
func (s *System) Close() {
	s.System.Close()
	_ = s.dbs.close()
}

// Name implements system.System.
func (s *System) Name() string { return "sonic" }

// Observe implements system.System. It fails while SONiC's daemons are starting: what is there then is not what the switch is.
func (s *System) Observe(ctx context.Context) (plan.State, error) {
	if err := s.dbs.ready(ctx); err != nil {
		return plan.State{}, err
	}
	seen, err := s.read(ctx)
	if err != nil {
		return plan.State{}, fmt.Errorf("observe SONiC: %w", err)
	}
	s.names.learn(seen.config)
	state, err := s.System.Observe(ctx)
	if err != nil {
		return plan.State{}, err
	}
	state.Kernel = judge(state.Kernel, seen)
	s.observeSaved(&state)
	return state, nil
}

// firstTable is where vrfmgrd begins: it numbers the tables of VRFs itself, each with the lowest that is free.
const firstTable = 1001

// rangesBeside are those of plan.DefaultRanges, but for the tables, which are guessed as vrfmgrd chooses them. A wrong guess does no harm:
// the next look finds the right one.
func rangesBeside(takenTables []uint32) plan.Ranges {
	r := plan.DefaultRanges
	for r.FirstTable = firstTable; slices.Contains(takenTables, r.FirstTable); r.FirstTable++ {
	}
	r.LastTable = r.FirstTable + maxVRFs
	return r
}

// Capabilities are those of SONiC 202411. The ASIC knows no suppression of neighbours (SUPPRESS_VLAN_NEIGH has no consumer in community
// builds), and no isolation of ports in a VLAN: what the kernel can do of either is not what forwards.
var Capabilities = plan.Capabilities{
	MaxVRFs: maxVRFs, FirstVLAN: 2, LastVLAN: 4094, VRFName: plan.LinuxCapabilities.VRFName, MaxDeviceName: 15,
}

// Facts implements system.System. The switch's MAC is that of its metadata; VLANs of others are taken.
func (s *System) Facts(ctx context.Context) (plan.Facts, error) {
	facts, err := s.System.Facts(ctx)
	if err != nil {
		return plan.Facts{}, err
	}
	config, err := s.dbs.readConfig(ctx)
	if err != nil {
		return plan.Facts{}, err
	}
	oids, err := s.dbs.readPortOIDs(ctx)
	if err != nil {
		return plan.Facts{}, err
	}
	ports := map[string]plan.PortFacts{}
	for _, k := range config.of(tablePort) {
		if p, ok := facts.Ports[k.Name]; ok && oids[k.Name] != "" {
			ports[k.Name] = portFacts(p, config[k])
		}
	}
	facts.Ports = ports
	if facts.BridgeMAC, err = parseMAC(config.metadata()["mac"]); err != nil {
		return plan.Facts{}, fmt.Errorf("DEVICE_METADATA|localhost: mac: %w", err)
	}
	for _, k := range config.of(tableVRF) {
		if table, err := s.Table(k.Name); err == nil && !config.ownsVRF(k.Name) {
			facts.TakenTables = append(facts.TakenTables, table)
		}
	}
	facts.Ranges, facts.Capabilities = rangesBeside(facts.TakenTables), Capabilities
	if err := config.checkRouting(); err != nil {
		facts.Refusal = err.Error()
	}
	facts.TakenVLANs = append(facts.TakenVLANs, config.foreignVLANs()...)
	slices.Sort(facts.TakenVLANs)
	return facts, nil
}
