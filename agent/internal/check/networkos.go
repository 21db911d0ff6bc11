package check

import (
	"os"

	"github.com/pointsman/pointsman/agent/internal/system/cumulus"
	"github.com/pointsman/pointsman/agent/internal/system/identify"
	"github.com/pointsman/pointsman/agent/internal/system/sonic"
)

// obstacles tell what stands in the way of a network OS, each with what to do.
var obstacles = map[identify.OS]func(root string) []error{
	identify.Linux:   func(string) []error { return nil },
	identify.Cumulus: cumulus.Check,
	identify.SONiC:   sonic.Check,
}

// networkOS tells what the switch runs whose files are in root, and whether the agent can configure it.
func networkOS(root string, chosen identify.OS) []Result {
	const name, remedy = "network os", "set network-os in agent.yaml to what this switch runs"
	found, err := identify.On(os.DirFS(root), chosen)
	if err != nil {
		return []Result{fail(name, remedy, "%v", err)}
	}
	look, known := obstacles[found.OS]
	if !known {
		return []Result{fail(name, remedy, "it is %s (%s), which this agent cannot configure", found.OS, found.Why)}
	}
	what := string(found.OS)
	if found.Version != "" {
		what += " " + found.Version
	}
	out := []Result{ok(name, "%s (%s)", what, found.Why)}
	for _, err := range look(root) {
		out = append(out, fail(name, "do what the line says, and check again", "%v", err))
	}
	return out
}
