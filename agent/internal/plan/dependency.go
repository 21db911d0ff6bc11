package plan

import (
	"errors"

	"github.com/pointsman/pointsman/pkg/frr"
)

// ErrSkipped is in the result of a step that was not tried, as one that it relies on had failed.
var ErrSkipped = errors.New("skipped")

// Thing is something that steps rely on: a device by its name, or that a VRF was left by a port.
type Thing string

// left is the fact that a port has left its VRF or bridge. While it has not, the VRF stays: deleted, it would drop the port into
// the default VRF.
func left(vrf string) Thing { return Thing("left " + vrf) }

// linked is implemented by operations that rely on others, or that others rely on.
type linked interface {
	// links returns what must not have failed before this step, and what counts as failed if it does.
	links() (needs, marks []Thing)
}

// Links returns what must not have failed for op to be tried, and what counts as failed if it fails or is skipped. Operations
// without links hold back nobody: a sysctl or an MTU that is refused is reported, and the port still moves.
func Links(op Op) (needs, marks []Thing) {
	if l, ok := op.(linked); ok {
		return l.links()
	}
	return nil, nil
}

// ChangeLinks is Links for one change of FRR's configuration.
func ChangeLinks(c frr.Change) (needs, marks []Thing) {
	if c.Port != "" {
		needs, marks = append(needs, Thing(c.Port)), append(marks, Thing(c.Port))
	}
	if c.VRF == "" {
		return needs, marks
	}
	needs = append(needs, Thing(c.VRF))
	if c.Stage == frr.StageInstanceRemoval || c.Stage == frr.StageVRFRemoval {
		needs = append(needs, left(c.VRF))
	}
	if c.Port == "" {
		marks = append(marks, Thing(c.VRF))
	}
	return needs, marks
}
