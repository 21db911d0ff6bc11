package system

import (
	"maps"
	"sync"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// RunInLanes is Run for a network OS whose steps wait for daemons: steps side by side that lane puts into different lanes are carried
// out at once, those of one lane in their order. A step without a lane ("") waits for all before it, and all after it wait for it.
// Steps of different lanes may rely on what came before the lanes began, but not on each other. Results are in the order of ops.
func RunInLanes(ops []plan.Op, do Executor, lane func(plan.Op) string) []plan.Result {
	r := run{do: do, failed: map[plan.Thing]error{}}
	for from := 0; from < len(ops); {
		to := from
		for to < len(ops) && lane(ops[to]) != "" {
			to++
		}
		if to > from {
			r.abreast(ops[from:to], lane)
			from = to
			continue
		}
		if configure, ok := ops[from].(plan.ApplyFRR); ok {
			r.configure(configure)
		} else {
			r.step(ops[from])
		}
		from++
	}
	return r.results
}

// abreast carries out the lanes of a stretch of steps. Each knows what had failed before, and what fails in itself.
func (r *run) abreast(ops []plan.Op, lane func(plan.Op) string) {
	var names []string
	places := map[string][]int{}
	for i, op := range ops {
		name := lane(op)
		if places[name] == nil {
			names = append(names, name)
		}
		places[name] = append(places[name], i)
	}
	runs := make([]run, len(names))
	results := make([]plan.Result, len(ops))
	var under sync.WaitGroup
	for n, name := range names {
		runs[n] = run{do: r.do, failed: maps.Clone(r.failed)}
		under.Go(func() {
			for i, at := range places[name] {
				runs[n].step(ops[at])
				results[at] = runs[n].results[i]
			}
		})
	}
	under.Wait()
	for _, own := range runs { // in the order of ops: the first cause of a failure is the one that is told
		for thing, cause := range own.failed {
			if _, known := r.failed[thing]; !known {
				r.failed[thing] = cause
			}
		}
	}
	r.results = append(r.results, results...)
}
