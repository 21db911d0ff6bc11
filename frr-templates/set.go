package frrtemplates

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"
)

// Set is templates that together render every role.
type Set struct {
	sources   map[string]string // by file name
	templates *template.Template
	replaced  []string
}

type executor interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

var builtin = mustBuiltin()

func mustBuiltin() *Set {
	sources := map[string]string{}
	for _, name := range Names() {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		sources[name] = string(text)
	}
	set, err := newSet(sources, nil)
	if err != nil {
		panic(err)
	}
	return set
}

// Names are the files that there are, sorted. An override has the name of the one that it replaces.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it is part of the program
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// Override returns the built-in templates with some replaced, by file name. An error names the file and its line. That the result
// is a configuration, and which, is for the caller to try: see Examples and Origins.
func Override(replacements map[string]string) (*Set, error) {
	sources := maps.Clone(builtin.sources)
	var unknown []error
	for _, name := range slices.Sorted(maps.Keys(replacements)) {
		if _, ok := sources[name]; !ok {
			unknown = append(unknown, fmt.Errorf("%s: there is no such template to replace; there are %s", name, strings.Join(Names(), ", ")))
		}
		sources[name] = replacements[name]
	}
	if err := errors.Join(unknown...); err != nil {
		return nil, err
	}
	return newSet(sources, slices.Sorted(maps.Keys(replacements)))
}

// Replaced are the files that are not the built-in ones, sorted.
func (s *Set) Replaced() []string { return slices.Clone(s.replaced) }

func newSet(sources map[string]string, replaced []string) (*Set, error) {
	templates, err := parseAll(sources)
	if err != nil {
		return nil, err
	}
	return &Set{sources: sources, templates: templates, replaced: replaced}, nil
}

func parseAll(sources map[string]string) (*template.Template, error) {
	all := template.New("frr").Option("missingkey=error")
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if _, err := all.New(name).Parse(sources[name]); err != nil {
			return nil, fmt.Errorf("parse template: %w", err)
		}
	}
	return all, nil
}
