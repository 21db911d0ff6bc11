package output

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/pointsman/pointsman/pointsmanctl/internal/contexts"
)

// Context is a context beside its name.
type Context struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	contexts.Context
}

var contextColumns = []column[Context]{
	{"CURRENT", false, func(c Context) string {
		if c.Current {
			return "*"
		}
		return none
	}},
	{"NAME", false, func(c Context) string { return c.Name }},
	{"SERVER", false, func(c Context) string { return text(c.Server) }},
	{"PROJECT", false, func(c Context) string { return text(c.Project) }},
	{"TLS", false, func(c Context) string { return yes(c.TLS != nil) }},
	{"CA", true, func(c Context) string { return trust(c, func(t *contexts.TLS) string { return t.CA }) }},
	{"CERT", true, func(c Context) string { return trust(c, func(t *contexts.TLS) string { return t.Cert }) }},
	{"KEY", true, func(c Context) string { return trust(c, func(t *contexts.TLS) string { return t.Key }) }},
	{"SERVER NAME", true, func(c Context) string { return trust(c, func(t *contexts.TLS) string { return t.ServerName }) }},
}

func trust(c Context, of func(*contexts.TLS) string) string {
	if c.TLS == nil {
		return none
	}
	return text(of(c.TLS))
}

// Contexts writes a list of contexts.
func (p Printer) Contexts(all []Context) error {
	if p.Structured() {
		return p.value(map[string]any{"contexts": all})
	}
	return writeTable(p.Out, p.Format == Wide, all, contextColumns)
}

// Context writes one context.
func (p Printer) Context(c Context) error {
	if p.Structured() {
		return p.value(c)
	}
	t := tabwriter.NewWriter(p.Out, 0, 0, 3, ' ', 0)
	for _, column := range contextColumns[1:] {
		if value := column.value(c); value != none {
			fmt.Fprintf(t, "%s\t%s\n", strings.ToLower(column.name), value)
		}
	}
	return t.Flush()
}

// value writes what is no message of the API.
func (p Printer) value(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if p.Format == YAML {
		return layOut(p.Out, b)
	}
	_, err = fmt.Fprintf(p.Out, "%s\n", b)
	return err
}
