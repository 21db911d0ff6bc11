package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writer moves ports as an agent does: with a gate between what leaves and what enters, or without.
type writer struct {
	*bench
	random *rand.Rand
	gates  bool
	at     map[string]string // where each port is, or is on its way to: "" is nowhere, bridge, or a VRF
	flying map[string]string // ports on their way, and the kind of object that has to be gone first
}

// random moves over 32 ports, 16 at a time, delays of up to two seconds. Those with gates all arrive; those without end the switch, or leave a
// port behind.
func TestRandomMoves(t *testing.T) {
	for seed := range uint64(4) {
		for gates, moves := range map[bool]int{true: 500, false: 100} {
			t.Run(fmt.Sprintf("seed %d, gates %v", seed, gates), func(t *testing.T) {
				w := newWriter(t, seed, gates)
				for started := 0; w.died == "" && (started < moves || len(w.flying) > 0); {
					w.land()
					if started < moves && len(w.flying) < 16 {
						w.takeOff()
						started++
						continue
					}
					at, ok := w.sw.Next()
					if !ok {
						break
					}
					w.run(max(at.Sub(w.now), time.Millisecond))
				}
				w.run(time.Minute)
				stranded := w.stranded()
				switch {
				case gates && (w.died != "" || stranded != ""):
					t.Errorf("with gates: died %q, stranded:\n%s\n%s", w.died, stranded, strings.Join(w.effects[max(0, len(w.effects)-20):], "\n"))
				case !gates && w.died == "" && stranded == "":
					t.Error("without gates, nothing happened: the hazards do not bite")
				}
			})
		}
	}
}

func newWriter(t *testing.T, seed uint64, gates bool) *writer {
	w := &writer{random: rand.New(rand.NewPCG(seed, 0)), gates: gates, at: map[string]string{}, flying: map[string]string{}}
	w.bench = newBench(t, 32)
	for i := range 32 {
		w.at[portName(i)] = ""
	}
	w.sw.options.Delay = func(string, string) time.Duration {
		u := w.random.Float64()
		return time.Duration(u * u * u * float64(2*time.Second))
	}
	return w
}

// takeOff sends a port that rests somewhere else.
func (w *writer) takeOff() {
	for {
		port := portName(w.random.IntN(32))
		if _, ok := w.flying[port]; ok {
			continue
		}
		goals := slices.DeleteFunc([]string{bridge, "VrfA", "VrfB"}, func(g string) bool { return g == w.at[port] })
		gone := map[string]string{"": "", bridge: "BRIDGE_PORT"}
		kind, ok := gone[w.at[port]]
		switch {
		case !ok:
			kind = "ROUTER_INTERFACE"
			w.del(Key{DB: Config, Table: "INTERFACE", Name: port})
		case kind != "":
			w.del(Key{Config, "VLAN_MEMBER", "Vlan100", port})
		}
		w.at[port], w.flying[port] = goals[w.random.IntN(len(goals))], kind
		return
	}
}

// land lets the ports enter whose gates are open, and lets go of those that have arrived.
func (w *writer) land() {
	for i := range 32 {
		port := portName(i)
		switch kind, ok := w.flying[port]; {
		case !ok:
		case kind == arriving:
			if w.place(port) == w.goal(port) {
				delete(w.flying, port)
			}
		case !w.gates || kind == "" || !w.asicRefers(kind, port):
			w.enter(port)
			w.flying[port] = arriving
		}
	}
}

const arriving = "arriving"

func (w *writer) enter(port string) {
	if w.at[port] == bridge {
		w.set(Key{Config, "VLAN_MEMBER", "Vlan100", port}, Fields{"tagging_mode": "untagged"})
	} else {
		w.set(Key{DB: Config, Table: "INTERFACE", Name: port}, vrf(w.at[port]))
	}
}

func (w *writer) goal(port string) place {
	switch at := w.at[port]; at {
	case "":
		return place{}
	case bridge:
		return inVLAN
	default:
		return place{at, at, at}
	}
}

func (w *writer) stranded() string {
	var found []string
	for i := range 32 {
		if port := portName(i); w.place(port) != w.goal(port) {
			found = append(found, port+": "+cmp.Diff(w.goal(port), w.place(port)))
		}
	}
	return strings.Join(found, "\n")
}
