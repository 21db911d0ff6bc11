package lab

import (
	"context"
	"io"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

// otherFRR are the releases that have another FRR than the guest's own root, by FRR's version. A switch that runs one has the release's
// root in the place of the guest's.
var otherFRR = map[string]debroot.Release{"10.3": debroot.Debian13}

// giveRoots makes the roots of those nodes that have another than the guest, and returns where they lie on the host.
func (s *guestSpec) giveRoots(ctx context.Context, log io.Writer) ([]string, error) {
	made := map[string]string{} // by version
	var paths []string
	for i, n := range s.Nodes {
		if n.FRR == "" {
			continue
		}
		if made[n.FRR] == "" {
			path, err := otherFRR[n.FRR].Ensure(ctx, log)
			if err != nil {
				return nil, err
			}
			made[n.FRR], paths = path, append(paths, path)
		}
		s.Nodes[i].Root = made[n.FRR]
	}
	return paths, nil
}
