// Package local is the agent's own counter on the switch: what `pointsman-agent status`, `intent`, `diff` and `neighbours` ask, how a
// running agent answers over a unix socket that only root reaches, and how the answers are printed. It knows no part of the agent:
// who runs one implements Source, and whoever finds none running builds the same answers from what can be read without it. Nothing
// here changes anything; adoption has a way of its own (package intent).
package local

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

// Socket is where the agent that keeps a state directory answers.
func Socket(stateDir string) string { return filepath.Join(stateDir, "local.sock") }

// Source is a running agent.
type Source interface {
	Status(ctx context.Context) (Status, error)
	Intent(ctx context.Context) (Intent, error)
	Steps(ctx context.Context) (Steps, error)
	Neighbours(ctx context.Context) (Neighbours, error)
}

// Status is a switch on one page.
type Status struct {
	Switch string `json:"switch"`
	// Running is false if no agent answered: then it is what could be read without one, and Notes say what that leaves out.
	Running      bool       `json:"running"`
	Notes        []string   `json:"notes,omitempty"`
	State        string     `json:"state,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	Since        *time.Time `json:"since,omitempty"`
	LastPass     *time.Time `json:"lastPass,omitempty"`
	AgentVersion string     `json:"agentVersion,omitempty"`
	FRRVersion   string     `json:"frrVersion,omitempty"`
	NetworkOS    string     `json:"networkOS,omitempty"`
	Kernel       string     `json:"kernel,omitempty"`
	Etcd         Etcd       `json:"etcd"`
	// Templates says which templates of FRR are in force, if not the built-in ones alone, or why overrides were refused.
	Templates string `json:"templates,omitempty"`
	// WantedGeneration and AppliedGeneration are of the switch's own configuration.
	WantedGeneration  uint64   `json:"wantedGeneration,omitempty"`
	AppliedGeneration uint64   `json:"appliedGeneration,omitempty"`
	LastError         string   `json:"lastError,omitempty"`
	Drift             []string `json:"drift,omitempty"`
	Ports             []Port   `json:"ports"`
}

// Etcd is the connection to the store; Connected is nil if nobody holds one.
type Etcd struct {
	Endpoints []string `json:"endpoints,omitempty"`
	Connected *bool    `json:"connected,omitempty"`
}

// Port is what is known of one port. Mode and VRF are what was read back, Wanted… is what the store said.
type Port struct {
	Name               string       `json:"name"`
	Role               string       `json:"role"`
	Missing            bool         `json:"missing,omitempty"`
	OperUp             bool         `json:"operUp,omitempty"`
	Mode               string       `json:"mode,omitempty"`
	VRF                string       `json:"vrf,omitempty"`
	WantedMode         string       `json:"wantedMode,omitempty"`
	WantedVRF          string       `json:"wantedVRF,omitempty"`
	VNI                netmodel.VNI `json:"vni,omitempty"`
	Allocation         string       `json:"allocation,omitempty"`
	WantedGeneration   uint64       `json:"wantedGeneration,omitempty"`
	AppliedGeneration  uint64       `json:"appliedGeneration,omitempty"`
	RevertedGeneration uint64       `json:"revertedGeneration,omitempty"`
	Session            *Session     `json:"session,omitempty"`
	Error              string       `json:"error,omitempty"`
}

// Session is the BGP session that a port must have.
type Session struct {
	State       string       `json:"state"`
	Established bool         `json:"established"`
	Since       *time.Time   `json:"since,omitempty"`
	PeerASN     netmodel.ASN `json:"peerASN,omitempty"`
	Prefixes    uint32       `json:"prefixes,omitempty"`
	LastReset   string       `json:"lastReset,omitempty"`
}

// Intent is what is in force, in the store's own words.
type Intent struct {
	Running bool   `json:"running"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// FromDisk tells that the store has not been reached since the agent started, or that no agent runs.
	FromDisk bool                       `json:"fromDisk"`
	Config   json.RawMessage            `json:"config"`
	Ports    map[string]json.RawMessage `json:"ports"`
	Received map[string]time.Time       `json:"received,omitempty"`
	// Problems are ports whose stored intent cannot be read.
	Problems map[string]string `json:"problems,omitempty"`
}

// Steps are what the next pass would do.
type Steps struct {
	Running  bool      `json:"running,omitempty"`
	Steps    []Step    `json:"steps"`
	Problems []Problem `json:"problems"`
}

// Step is one operation. It may have more lines than one.
type Step struct {
	Op    string   `json:"op"`
	Ports []string `json:"ports,omitempty"`
}

// Problem is why a port cannot be what its intent asks.
type Problem struct {
	Port  string `json:"port"`
	Error string `json:"error"`
}

// StepsOf are a plan's operations and problems.
func StepsOf(ops []plan.Op, problems []plan.Problem) Steps {
	out := Steps{Steps: []Step{}, Problems: []Problem{}}
	for _, op := range ops {
		out.Steps = append(out.Steps, Step{op.String(), op.Ports()})
	}
	for _, p := range problems {
		out.Problems = append(out.Problems, Problem{p.Port, p.Err.Error()})
	}
	return out
}

// Neighbours is who is heard.
type Neighbours struct {
	// Listening are the ports that are listened on; without a neighbour they are silent.
	Listening  []string    `json:"listening"`
	Neighbours []Neighbour `json:"neighbours"`
}

// Neighbour is an LLDP neighbour.
type Neighbour struct {
	Port            string    `json:"port"`
	SystemName      string    `json:"systemName,omitempty"`
	ChassisID       string    `json:"chassisID"`
	PortID          string    `json:"portID"`
	PortDescription string    `json:"portDescription,omitempty"`
	Description     string    `json:"systemDescription,omitempty"`
	SourceMAC       string    `json:"sourceMAC,omitempty"`
	FirstSeen       time.Time `json:"firstSeen"`
	// Expires is when it is forgotten unless it is heard again.
	Expires time.Time `json:"expires"`
}
