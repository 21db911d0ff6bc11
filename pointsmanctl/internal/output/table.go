package output

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/proto"
)

// column is one fact of a resource. wide ones are left out of a plain table.
type column[M any] struct {
	name  string
	wide  bool
	value func(M) string
}

// list writes a list: as one message for programs, as a table for people.
func list[M any](p Printer, whole proto.Message, rows []M, columns []column[M]) error {
	if done, err := p.structured(whole); done {
		return err
	}
	return writeTable(p.Out, p.Format == Wide, rows, columns)
}

// get writes one resource: as it is for programs, as all its facts one below the other for people.
func get[M proto.Message](p Printer, m M, columns []column[M]) error {
	if done, err := p.structured(m); done {
		return err
	}
	t := tabwriter.NewWriter(p.Out, 0, 0, 3, ' ', 0)
	for _, c := range columns {
		value := c.value(m)
		if value == none {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.ToLower(c.name), value)
	}
	return t.Flush()
}

func writeTable[M any](w io.Writer, wide bool, rows []M, columns []column[M]) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	write := func(cell func(column[M]) string) {
		var cells []string
		for _, c := range columns {
			if wide || !c.wide {
				cells = append(cells, cell(c))
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	write(func(c column[M]) string { return c.name })
	for _, r := range rows {
		write(func(c column[M]) string { return c.value(r) })
	}
	return t.Flush()
}
