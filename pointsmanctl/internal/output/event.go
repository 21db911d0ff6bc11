package output

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// change is an object beside what became of it.
type change struct {
	kind  apiv1.EventType
	cells [][2]string // name of the column, value
}

// Event writes one message of a watch on one line: as JSON, or as a row of the kind's table. Rows cannot wait for each other, so
// columns keep a least width instead of a common one. heading asks for the line of names first.
func (p Printer) Event(m proto.Message, kind apiv1.EventType, heading bool) error {
	if p.Structured() {
		line, err := protojson.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
		}
		_, err = fmt.Fprintf(p.Out, "%s\n", line)
		return err
	}
	c := change{kind: kind}
	switch m := m.(type) {
	case *apiv1.WatchNetworksResponse:
		c.cells = cellsOf(p, m.GetNetwork(), p.networkColumns())
	case *apiv1.WatchIPsResponse:
		c.cells = cellsOf(p, m.GetIp(), p.ipColumns())
	case *apiv1.WatchMachinesResponse:
		c.cells = cellsOf(p, m.GetMachine(), p.machineColumns())
	case *apiv1.WatchSwitchesResponse:
		c.cells = cellsOf(p, m.GetSwitch(), p.switchColumns())
	case *apiv1.WatchAllocationsResponse:
		c.cells = cellsOf(p, m.GetAllocation(), p.allocationColumns())
	}
	return p.row(c, heading)
}

func cellsOf[M any](p Printer, m M, columns []column[M]) [][2]string {
	var out [][2]string
	for _, c := range columns {
		if p.Format == Wide || !c.wide {
			out = append(out, [2]string{c.name, c.value(m)})
		}
	}
	return out
}

func (p Printer) row(c change, heading bool) error {
	names, values := fmt.Sprintf("%-10s", "EVENT"), fmt.Sprintf("%-10s", Word(c.kind))
	for _, cell := range c.cells {
		width := max(len(cell[0]), 12)
		names += fmt.Sprintf("%-*s   ", width, cell[0])
		values += fmt.Sprintf("%-*s   ", width, cell[1])
	}
	if heading {
		fmt.Fprintln(p.Out, strings.TrimRight(names, " "))
	}
	_, err := fmt.Fprintln(p.Out, strings.TrimRight(values, " "))
	return err
}
