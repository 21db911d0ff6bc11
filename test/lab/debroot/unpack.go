package debroot

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// merged are the directories that Debian keeps under /usr with a link in the root. Packages still ship files under
// the old names.
var merged = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// Unpack writes the files of the packages into tree, merging /bin, /sbin and /lib into /usr. No package script runs.
func Unpack(ctx context.Context, tree string, debs []string) error {
	for _, dir := range merged {
		if err := os.MkdirAll(filepath.Join(tree, "usr", dir), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+dir, filepath.Join(tree, dir)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"var", "run"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("../run", filepath.Join(tree, "var/run")); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, deb := range debs {
		group.Go(func() error {
			if err := unpackOne(ctx, tree, deb); err != nil {
				return fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
			}
			return nil
		})
	}
	return group.Wait()
}

func unpackOne(ctx context.Context, tree, deb string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = Extract(tree, tar.NewReader(out), ofPackage)
	if err != nil {
		cancel()
		_ = cmd.Wait()
		return err
	}
	// tar ends with padding that the reader leaves; dpkg-deb must be let write it.
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("dpkg-deb: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// ofPackage places the files of a package in the root.
func ofPackage(name string) (string, bool) {
	if slices.Contains(merged, path.Clean(strings.TrimPrefix(path.Clean(name), "/"))) {
		return "", false // a directory that is there, or since Debian 13 the link in its place
	}
	name = usrMerged(name)
	return name, name != "." && name != "var/run" && !skipped(name)
}

// Extract writes the files of an archive into tree where place says, and leaves out what it does not want.
func Extract(tree string, files *tar.Reader, place func(name string) (path string, wanted bool)) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, wanted := place(header.Name)
		if !wanted {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q is outside of the root", header.Name)
		}
		if err := extractOne(tree, name, header, files, place); err != nil {
			return err
		}
	}
}

func extractOne(tree, name string, header *tar.Header, body io.Reader, place func(string) (string, bool)) error {
	target := filepath.Join(tree, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	// The owner reads and enters everything: in the guest it is the host's user who opens the files.
	mode := fs.FileMode(header.Mode & 0o777)
	switch header.Typeflag {
	case tar.TypeDir:
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		return os.Chmod(target, mode|0o700)
	case tar.TypeReg:
		if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		return errors.Join(err, f.Chmod(mode|0o400), f.Close())
	case tar.TypeSymlink:
		if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Symlink(header.Linkname, target)
	case tar.TypeLink:
		if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		old, _ := place(header.Linkname)
		if !filepath.IsLocal(old) {
			return fmt.Errorf("%q links outside of the root", header.Name)
		}
		return os.Link(filepath.Join(tree, old), target)
	default:
		return nil // devices and the like: the guest has its own
	}
}

// usrMerged returns where a file of a package lies in a root whose /bin, /sbin and /lib are links into /usr, and /var/run
// one to /run.
func usrMerged(name string) string {
	name = path.Clean(strings.TrimPrefix(path.Clean(name), "/"))
	if rest, ok := strings.CutPrefix(name, "var/run/"); ok {
		return "run/" + rest
	}
	first, _, _ := strings.Cut(name, "/")
	for _, dir := range merged {
		if first == dir {
			return "usr/" + name
		}
	}
	return name
}

// skipped are files that no guest reads and that make half of the inodes.
func skipped(name string) bool {
	for _, dir := range []string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	return false
}
