package frrtemplates

import (
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// Marks around where a line comes from. A configuration has neither: a name that has one is no word.
const (
	markBegin = "\x01"
	markEnd   = "\x02"
)

// Origins returns, for each line of what Render returns, the file and line of the template that ends it, such as "vrf.tmpl:7": FRR
// names a line of the configuration, and an operator looks for it in a template.
func (s *Set) Origins(in Input) ([]string, error) {
	if s == nil {
		s = builtin
	}
	marked, err := parseAll(s.sources) // anew, as marks go into what is parsed
	if err != nil {
		return nil, err
	}
	for _, t := range marked.Templates() {
		if t.Tree != nil {
			s.mark(t, t.Root)
		}
	}
	text, err := s.render(marked, in)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(text) {
		_, origin, _ := strings.Cut(line, markBegin)
		origin, _, _ = strings.Cut(origin, markEnd)
		out = append(out, origin)
	}
	return out, nil
}

// mark puts a mark before each newline of a template's own text.
func (s *Set) mark(t *template.Template, n parse.Node) {
	switch n := n.(type) {
	case *parse.TextNode:
		s.markText(t.ParseName, n)
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			s.mark(t, child)
		}
	case *parse.IfNode:
		s.markBranch(t, n.BranchNode)
	case *parse.RangeNode:
		s.markBranch(t, n.BranchNode)
	case *parse.WithNode:
		s.markBranch(t, n.BranchNode)
	}
}

func (s *Set) markBranch(t *template.Template, n parse.BranchNode) {
	s.mark(t, n.List)
	s.mark(t, n.ElseList)
}

func (s *Set) markText(file string, n *parse.TextNode) {
	line := 1 + strings.Count(s.sources[file][:n.Pos], "\n")
	var out strings.Builder
	for _, c := range string(n.Text) {
		if c == '\n' {
			fmt.Fprintf(&out, "%s%s:%d%s", markBegin, file, line, markEnd)
			line++
		}
		out.WriteRune(c)
	}
	n.Text = []byte(out.String())
}
