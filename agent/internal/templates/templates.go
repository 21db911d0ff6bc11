// Package templates takes an operator's templates of FRR's configuration from a directory, and refuses them unless they are proven: they
// parse, they render every role and the present state, the text model reads the result, and FRR's own vtysh takes it in a dry run. It
// applies nothing. The agent's commands call it before they look at the switch.
//
// All of them count or none: half of what an operator wrote together is something that nobody has tried.
package templates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	frrtemplates "github.com/pointsman/pointsman/frr-templates"

	frrsystem "github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/frr"
)

// maxSize of one template, in bytes: the largest built-in one has two thousand.
const maxSize = 1 << 20

// DryRun has FRR read a configuration without running it. A *frr.LineError among its errors says which line is wrong.
type DryRun func(ctx context.Context, text string) error

// Load returns the templates in force: nil, the built-in ones, if the directory has none to replace. present are switches to try them on
// besides the examples. An error names the file and the line, and then nothing of the directory may be used.
func Load(ctx context.Context, dir string, present []frrtemplates.Input, try DryRun) (*frrtemplates.Set, error) {
	replacements, err := read(dir)
	if err != nil || len(replacements) == 0 {
		return nil, err
	}
	set, err := frrtemplates.Override(replacements)
	if err != nil {
		return nil, err
	}
	for _, in := range slices.Concat(frrtemplates.Examples(), present) {
		if err := prove(ctx, set, in, try); err != nil {
			return nil, fmt.Errorf("tried on a %s with %d VRFs: %w", in.Role, len(in.VRFs), err)
		}
	}
	return set, nil
}

// read reads the templates of a directory, which need not be there.
func read(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".tmpl" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("read templates: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxSize {
			return nil, fmt.Errorf("read templates: %s is no file of at most %d bytes", path, maxSize)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read templates: %w", err)
		}
		out[e.Name()] = string(text)
	}
	return out, nil
}

// prove tries templates on one switch.
func prove(ctx context.Context, set *frrtemplates.Set, in frrtemplates.Input, try DryRun) error {
	text, err := set.Render(in)
	if err != nil {
		return err
	}
	if _, err := frr.Parse(text); err != nil {
		return fmt.Errorf("read what it renders: %w", err)
	}
	err = try(ctx, text)
	var wrong *frrsystem.LineError
	if errors.As(err, &wrong) && wrong.Line > 0 {
		return located(set, in, text, wrong)
	}
	return err
}

// located says where in a template a line of the configuration comes from.
func located(set *frrtemplates.Set, in frrtemplates.Input, text string, wrong *frrsystem.LineError) error {
	lines := strings.Split(text, "\n")
	origins, err := set.Origins(in)
	if err != nil || wrong.Line > len(origins) {
		return wrong
	}
	return fmt.Errorf("%s: FRR does not take %q: %w", origins[wrong.Line-1], strings.TrimSpace(lines[wrong.Line-1]), wrong)
}
