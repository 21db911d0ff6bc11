package cumulus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/agent/internal/system/cumulus/interfaces"
)

// record is /etc/network/interfaces as it was read.
type record struct {
	path string
	text string
	file interfaces.File
	err  error
	// parsed tells that the text was read, and that file or err is what came of it.
	parsed bool
	// failed are the stanzas that ifquery does not find in the kernel.
	failed []string
}

var _ plan.Saved = record{}

// read reads the file, and adds what was found wrong with it.
func (s *System) read() record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = readFile(s.root, s.last)
	r := s.last
	r.failed = s.prover.failed()
	return r
}

// readFile reads the file. What is wrong with it is the record's to say: the kernel can be configured all the same. A text that was
// read last time is not parsed again.
func readFile(root string, last record) record {
	r := record{path: filepath.Join(root, "etc/network/interfaces")}
	raw, err := os.ReadFile(r.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = err
		return r
	}
	r.text = string(raw)
	if last.parsed && last.text == r.text {
		return last
	}
	r.parsed = true
	if r.file, err = interfaces.Parse(r.text); err != nil {
		r.err = fmt.Errorf("%s is not touched, as ifupdown2 would not take it: %w", r.path, err)
	}
	return r
}

// Lacks implements plan.Saved. A file that cannot be read is what lacks, so that the step that would write it says why it cannot.
func (r record) Lacks(k plan.Kernel) []string {
	if r.err != nil {
		return []string{r.path}
	}
	out := append(r.file.Differs(stanzas(k)), r.failed...)
	slices.Sort(out)
	return slices.Compact(out)
}

// holdsAddress reports whether an address is one of lo's in our stanzas.
func (r record) holdsAddress(p netip.Prefix) bool {
	return slices.Contains(strings.Split(r.file.Stanza(plan.LoopbackName), "\n"), "    address "+p.String())
}

// save writes the file if it differs, and has what changed proven.
func (s *System) save(ctx context.Context, op plan.SaveKernel) error {
	was := s.read()
	if was.err != nil {
		return was.err
	}
	want := stanzas(op.Kernel)
	if err := contested(was, want); err != nil {
		return err
	}
	var changed []string
	for _, stanza := range want {
		if slices.Contains(op.Changed, stanza.Name) {
			changed = append(changed, stanza.Name)
		}
	}
	text := was.file.With(want)
	if text == was.text {
		return s.prover.repair(ctx, text, changed, func() bool { return s.is(ctx, op.Kernel) })
	}
	if err := write(was.path, text); err != nil {
		return fmt.Errorf("write %s: %w", was.path, err)
	}
	s.prover.forget()
	s.prover.prove(changed)
	return nil
}

// is reports whether the kernel is, to netlink, what it must be.
func (s *System) is(ctx context.Context, want plan.Kernel) bool {
	observed, err := s.System.Observe(ctx)
	observed.Unknown = append(observed.Unknown, plan.PartFRR, plan.PartFRRSaved)
	return err == nil && len(plan.Diff(observed, plan.State{Kernel: want})) == 0
}

// contested tells where somebody else configures a device in a way that is ours to configure.
func contested(r record, want []interfaces.Stanza) error {
	var errs []error
	for _, s := range want {
		ours := s.Attributes()
		for _, a := range r.file.Attributes(s.Name) {
			if s.Name != plan.LoopbackName && slices.Contains(ours, a.Name) {
				errs = append(errs, fmt.Errorf("%s:%d: %s of %s is the agent's to set: delete the line", r.path, a.Line, a.Name, s.Name))
			}
		}
	}
	return errors.Join(errs...)
}

// write replaces a file at once, and keeps whose it is. Where it is a link, what it leads to is replaced.
func write(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return renameio.WriteFile(path, []byte(text), 0o644, renameio.WithExistingPermissions(), renameio.WithTempDir(filepath.Dir(path)))
}
