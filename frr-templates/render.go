// Package frrtemplates holds FRR's configuration, one readable template per role of a switch, and renders it. It decides
// nothing: everything that varies is in Input. The agent's planner calls it and compares the result with what FRR runs.
package frrtemplates

import (
	"embed"
	"fmt"
	"strings"

	"github.com/pointsman/pointsman/pkg/netmodel"
)

//go:embed *.tmpl
var files embed.FS

// Render returns the whole configuration of a switch by the built-in templates, in the form in which `show running-config` prints
// it. The same input gives the same bytes, in whatever order its ports, VRFs and grants come.
func Render(in Input) (string, error) { return builtin.Render(in) }

// Render is Render by these templates; nil is the built-in ones.
func (s *Set) Render(in Input) (string, error) {
	if s == nil {
		s = builtin
	}
	return s.render(s.templates, in)
}

func (s *Set) render(by executor, in Input) (string, error) {
	name, err := templateOf(in.Role)
	if err != nil {
		return "", err
	}
	v, err := viewOf(in)
	if err != nil {
		return "", fmt.Errorf("render FRR configuration of %q: %w", in.Hostname, err)
	}
	var text strings.Builder
	if err := by.ExecuteTemplate(&text, name, v); err != nil {
		return "", fmt.Errorf("render FRR configuration of %q: %w", in.Hostname, err)
	}
	return text.String(), nil
}

func templateOf(role netmodel.SwitchRole) (string, error) {
	switch role {
	case netmodel.RoleLeaf:
		return "leaf.conf.tmpl", nil
	case netmodel.RoleBorder:
		return "border.conf.tmpl", nil
	case netmodel.RoleSpine:
		return "spine.conf.tmpl", nil
	}
	return "", fmt.Errorf("render FRR configuration: no template for role %q", role)
}
