package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pointsman/pointsman/test/lab/debroot"
)

// build is a kernel in the making. Everything of it lies in work: apt, tools, source and out.
type build struct {
	work, root string
	step       func(format string, args ...any)
}

func (b *build) tools() string  { return filepath.Join(b.work, "tools") }
func (b *build) source() string { return filepath.Join(b.work, "source") }
func (b *build) out() string    { return filepath.Join(b.work, "out") }

// fetchTools downloads the tools and unpacks them.
func (b *build) fetchTools(ctx context.Context) error {
	debs, err := debroot.Fetch(ctx, filepath.Join(b.work, "apt"), toolPackages, b.step)
	if err != nil {
		return err
	}
	b.step("unpack the tools")
	if err := debroot.Unpack(ctx, b.tools(), debs); err != nil {
		return err
	}
	if err := wrapPrograms(b.tools()); err != nil {
		return fmt.Errorf("prepare the tools: %w", err)
	}
	return nil
}

// fetchSource downloads a source and unpacks it. It returns its version.
func (b *build) fetchSource(ctx context.Context, from source) (version string, err error) {
	deb, err := debroot.FetchNewest(ctx, filepath.Join(b.work, "apt-"+from.suite), from.suite, from.names, b.step)
	if err != nil {
		return "", err
	}
	// linux-source-6.1_6.1.192-2_all.deb
	name, rest, _ := strings.Cut(filepath.Base(deb), "_")
	version, _, _ = strings.Cut(rest, "_")
	if version == "" {
		return "", fmt.Errorf("read a version in %s", deb)
	}
	version = strings.ReplaceAll(version, "%3a", ":")
	b.step("unpack the source of Linux %s", version)
	tree := filepath.Join(b.work, "deb-"+from.suite)
	if err := debroot.Unpack(ctx, tree, []string{deb}); err != nil {
		return "", err
	}
	if err := b.unpackSource(ctx, filepath.Join(tree, "usr/src", name+".tar.xz")); err != nil {
		return "", fmt.Errorf("unpack source: %w", err)
	}
	return version, nil
}

// wrapPrograms puts a script in the place of each program, which runs it by the tools' own loader and libraries: the host may have
// another libc, and need have no compiler.
func wrapPrograms(tree string) error {
	loader := filepath.Join(tree, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	for _, dir := range []string{"usr/bin", "usr/lib/gcc"} {
		err := filepath.WalkDir(filepath.Join(tree, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if program, err := isProgram(path); err != nil || !program {
				return err
			}
			return wrap(path, loader, filepath.Join(tree, "usr/lib/x86_64-linux-gnu"))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isProgram tells whether a file is an executable in ELF, and no library or object.
func isProgram(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&0o100 == 0 || strings.Contains(filepath.Base(path), ".so") {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	magic := [4]byte{}
	_, err = io.ReadFull(f, magic[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return magic == [4]byte{0x7f, 'E', 'L', 'F'}, err
}

// wrap moves a program aside. Under its own name it still finds what lies beside it.
func wrap(path, loader, libraries string) error {
	aside := path + ".elf"
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --library-path '%s' --argv0 \"$0\" '%s' \"$@\"\n", loader, libraries, aside)
	return os.WriteFile(path, []byte(script), 0o755)
}

// command runs one of the tools, or of the host's basic ones, and knows nothing of the host's settings.
func (b *build) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	usr := filepath.Join(b.tools(), "usr")
	cmd := exec.CommandContext(ctx, filepath.Join(usr, "bin", name), args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + filepath.Join(usr, "bin") + ":/usr/bin:/bin", "HOME=" + b.work, "TMPDIR=" + b.work, "LC_ALL=C",
		"M4=" + filepath.Join(usr, "bin/m4"), "BISON_PKGDATADIR=" + filepath.Join(usr, "share/bison"),
		"KBUILD_BUILD_USER=pointsman", "KBUILD_BUILD_HOST=lab",
	}
	return cmd
}

// failure is an error with the end of what a command printed.
func failure(what string, err error, output []byte) error {
	const tail = 4000
	if len(output) > tail {
		output = output[len(output)-tail:]
	}
	return fmt.Errorf("%s: %w\n%s", what, err, bytes.TrimSpace(output))
}
