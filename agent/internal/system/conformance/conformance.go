// Package conformance is the one suite of behaviours that every network operating system must pass: what a leaf's ports go through
// from day to day, seen from outside, with restarts and failures at every step. It knows no OS. Each backend's tests bring a Bench,
// on the real thing, and call Run.
package conformance

import (
	"testing"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system"
)

// Bench makes switches.
type Bench interface {
	// Fresh makes a switch as it comes up before anybody configured it: its ports are there and down, and there is a machine on each.
	// It goes with the test.
	Fresh(t *testing.T) Switch
	// Stride is which of the steps the agent is restarted at and writes fail at: 1 is every one.
	Stride() int
}

// Switch is a switch on the bench. What cannot be done ends the test.
type Switch interface {
	// Ports are three ports for machines, and an uplink.
	Ports() (machines [3]string, uplink string)
	// Open opens the switch, as an agent that starts does. Nothing that an earlier one knew is known.
	Open() system.System
	// Watch begins to watch, and returns where the reasons of its kicks are heard. That of a port's change names the port.
	Watch() <-chan string
	// Look reads the switch from outside.
	Look() View
	// Plug and Unplug put a port in, and take it out.
	Plug(port string)
	Unplug(port string)
	// Break makes writes fail for which fail returns an error; nil ends that. A change of FRR's comes as an ApplyFRR of its own.
	Break(fail func(plan.Op) error)
	// Foreign configures something that is not ours, and returns how to read that from outside.
	Foreign() (read func() string)
	// Listen begins to hear writes from outside. take waits until it is quiet and returns those since the last take.
	Listen() (take func() []string)
	// Disturb changes a port behind the agent's back: its MTU is another.
	Disturb(port string)
}

// Prover is a Switch whose OS can be asked whether the switch is what the OS would make of it at its next start. It may take long, so
// that it is asked at the end of each behaviour.
type Prover interface {
	// Proven returns what it finds fault with, or nil.
	Proven() error
}

// Run runs the suite.
func Run(t *testing.T, b Bench) {
	for _, behaviour := range []struct {
		name string
		run  func(*run)
	}{
		{"provisioning at first", (*run).provisioning},
		{"moves", (*run).moves},
		{"two ports in one VRF", (*run).together},
		{"down and up", (*run).downAndUp},
		{"MTU", (*run).mtu},
		{"a port disappears and appears", (*run).hotPlug},
		{"restart at every step", (*run).restarts},
		{"each failing write", (*run).failures},
		{"foreign configuration", (*run).foreign},
		{"a second pass is silent", (*run).silence},
	} {
		t.Run(behaviour.name, func(t *testing.T) {
			sw := b.Fresh(t)
			r := &run{T: t, Switch: sw, agent: &Agent{System: sw.Open()}, stride: b.Stride()}
			r.p, r.uplink = sw.Ports()
			behaviour.run(r)
			r.proven()
		})
	}
}

// run is a behaviour that is being tried.
type run struct {
	*testing.T
	Switch
	agent  *Agent
	stride int
	p      [3]string
	uplink string
	seen   View // by the last becomes
}

func (r *run) proven() {
	r.Helper()
	if p, ok := r.Switch.(Prover); ok && !r.Failed() {
		if err := p.Proven(); err != nil {
			r.Error(err)
		}
	}
}

// restart starts the agent anew.
func (r *run) restart() { r.agent.System = r.Open() }

// Faulty is an executor whose writes fail where fail returns an error; fail may be nil.
func Faulty(do system.Executor, fail func(plan.Op) error) system.Executor {
	if fail == nil {
		return do
	}
	return faulty{do, fail}
}
