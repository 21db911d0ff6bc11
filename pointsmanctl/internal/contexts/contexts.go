// Package contexts keeps what an operator calls his control planes: a file of named contexts, each with the address of an API, how
// to trust it, and a project. It reads and writes that file and asks nobody anything. Package command calls it.
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"go.yaml.in/yaml/v3"
)

// File is the contexts file.
type File struct {
	// Current is the context that is used if none is named; empty is none.
	Current  string              `yaml:"current-context,omitempty"`
	Contexts map[string]*Context `yaml:"contexts"`

	path string
}

// Context is one control plane.
type Context struct {
	Server  string `yaml:"server,omitempty" json:"server,omitempty"`
	Project string `yaml:"project,omitempty" json:"project,omitempty"`
	// TLS is nil where the API is spoken to in the clear.
	TLS *TLS `yaml:"tls,omitempty" json:"tls,omitempty"`
}

// Path says where the file is: where the environment says so, or else among the user's configuration. Empty is nowhere.
func Path(getenv func(string) string) string {
	if p := getenv("POINTSMAN_CONFIG"); p != "" {
		return p
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) { // the XDG specification has a relative one ignored
		return filepath.Join(dir, "pointsman", "config.yaml")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "pointsman", "config.yaml")
	}
	return ""
}

// Read reads the file at path. One that does not exist holds no contexts.
func Read(path string) (*File, error) {
	f := &File{Contexts: map[string]*Context{}, path: path}
	if path == "" {
		return f, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true) // a misspelt field would be a connection that is not what its file says
	if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read contexts from %s: %w. Correct it; it holds current-context, and contexts with server, project and tls", path, readable(err))
	}
	if f.Contexts == nil {
		f.Contexts = map[string]*Context{}
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("read contexts from %s: %w", path, err)
	}
	return f, nil
}

// goType is how the decoder names what it reads into, which says nothing to whom the file belongs.
var goType = regexp.MustCompile(` (?:not found )?in(?:to)? (?:type )?[a-z]*\*?contexts\.\w+`)

func readable(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var lines []string
	for _, l := range wrong.Errors {
		lines = append(lines, goType.ReplaceAllString(l, " is not known here"))
	}
	return errors.New(strings.Join(lines, "; "))
}

func (f *File) check() error {
	var errs []error
	for _, name := range f.Names() {
		if err := CheckName(name); err != nil {
			errs = append(errs, err)
		}
		c := f.Contexts[name]
		if c == nil {
			errs = append(errs, fmt.Errorf("context %q is empty: give it a server", name))
			continue
		}
		if err := c.Check(); err != nil {
			errs = append(errs, fmt.Errorf("context %q: %w", name, err))
		}
	}
	if f.Current != "" && f.Contexts[f.Current] == nil {
		errs = append(errs, fmt.Errorf("current-context: there is no context %q: name one of %s", f.Current, f.known()))
	}
	return errors.Join(errs...)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// CheckName says what is wrong with a context's name.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return fmt.Errorf("context %q: its name must be 1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first and last", name)
}

// Check says what is wrong with a context.
func (c *Context) Check() error {
	if c.Server == "" {
		return errors.New("server: it is missing; give HOST:PORT")
	}
	if strings.Contains(c.Server, "://") {
		return fmt.Errorf("server: %q has a scheme; give HOST:PORT, and a tls section for TLS", c.Server)
	}
	if c.TLS == nil {
		return nil
	}
	return c.TLS.check()
}

// Names are the contexts' names, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Contexts)) }

func (f *File) known() string {
	if len(f.Contexts) == 0 {
		return `none that are there: make one with "pointsmanctl context set"`
	}
	return strings.Join(f.Names(), ", ")
}

// Get is a context by its name.
func (f *File) Get(name string) (*Context, error) {
	if c := f.Contexts[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no context %q in %s: name one of %s", name, f.where(), f.known())
}

func (f *File) where() string {
	if f.path == "" {
		return "the contexts file (which is nowhere: give --config, $POINTSMAN_CONFIG or $HOME)"
	}
	return f.path
}

// Write replaces the file in one step, readable to its owner alone.
func (f *File) Write() error {
	if f.path == "" {
		return errors.New("write contexts: there is no place for the file: give --config, $POINTSMAN_CONFIG or $HOME")
	}
	if err := f.check(); err != nil {
		return err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(f), enc.Close()); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	path := f.path
	if target, err := filepath.EvalSymlinks(path); err == nil { // one that is kept elsewhere stays there
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	pending, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o600))
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	defer func() { _ = pending.Cleanup() }() // nothing is left to clean up once it is in its place
	if _, err := pending.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return nil
}
