package debroot

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const (
	defaultMirror   = "http://deb.debian.org/debian"
	defaultSecurity = "http://deb.debian.org/debian-security"
	hostKeyring     = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

func checkHost() error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the lab's guest runs on Linux on x86-64 only (user-mode Linux has no other port), this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	var missing []string
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s not found: the lab needs the packages apt and dpkg of a Debian or Ubuntu host (or container)", strings.Join(missing, ", "))
	}
	return nil
}

// apt is apt with a state of its own: an empty dpkg status, its own sources and lists, and nothing of the host's but how to
// reach the network (proxy, mirror).
type apt struct {
	dir    string
	suites []string
	step   func(format string, args ...any)
}

func newApt(ctx context.Context, dir string, suites []string, step func(string, ...any)) (*apt, error) {
	a := &apt{dir: dir, suites: suites, step: step}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	acquire, err := hostAcquire(ctx)
	if err != nil {
		return nil, err
	}
	// A configuration of its own, and not options on the command line: the host's apt.conf.d may hold hooks
	// (docker-clean has) that touch the host's caches.
	conf := fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::Cache "%[1]s/cache";
Dir::State::status "%[1]s/status";
Dir::Etc::main "/nonexistent";
Dir::Etc::parts "/nonexistent";
Dir::Etc::preferences "/nonexistent";
Dir::Etc::preferencesparts "/nonexistent";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/nonexistent";
Dir::Log "%[1]s";
Debug::NoLocking "1";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Install-Recommends "0";
Acquire::Languages "none";
Acquire::Retries "3";
%[2]s`, dir, acquire)
	for name, text := range map[string]string{"apt.conf": conf, "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// fetch downloads the packages and everything they depend on, down to libc, and returns the files.
func (a *apt) fetch(ctx context.Context, packages []string) ([]string, error) {
	if err := a.update(ctx); err != nil {
		return nil, err
	}
	out, err := a.get(ctx, "", append([]string{"install", "-s", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	names := installed(out)
	if len(names) == 0 {
		return nil, errors.New("resolve packages: apt-get named none")
	}
	a.step("download %d packages", len(names))
	debs := filepath.Join(a.dir, "debs")
	if _, err := a.get(ctx, debs, append([]string{"download"}, names...)...); err != nil {
		return nil, fmt.Errorf("download packages: %w", err)
	}
	return filepath.Glob(filepath.Join(debs, "*.deb"))
}

// fetchNewest downloads, without what it depends on, the package of the highest version among those whose names match.
func (a *apt) fetchNewest(ctx context.Context, names *regexp.Regexp) (string, error) {
	if err := a.update(ctx); err != nil {
		return "", err
	}
	out, err := a.run(ctx, "apt-cache", "", "pkgnames")
	if err != nil {
		return "", err
	}
	newest := ""
	for name := range strings.Lines(string(out)) {
		if name = strings.TrimSpace(name); names.MatchString(name) && (newest == "" || CompareVersions(name, newest) > 0) {
			newest = name
		}
	}
	if newest == "" {
		return "", fmt.Errorf("%s has no package %s", a.suites[0], names)
	}
	a.step("download %s", newest)
	debs := filepath.Join(a.dir, "debs")
	if _, err := a.get(ctx, debs, "download", newest); err != nil {
		return "", fmt.Errorf("download %s: %w", newest, err)
	}
	files, err := filepath.Glob(filepath.Join(debs, newest+"_*.deb"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("download %s: found %d files", newest, len(files))
	}
	return files[0], nil
}

// CompareVersions compares names by the numbers in them: 6.1.9 is before 6.1.10.
func CompareVersions(a, b string) int {
	numbers := func(s string) (out []string) {
		for _, n := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
			out = append(out, fmt.Sprintf("%020s", n))
		}
		return out
	}
	return slices.Compare(numbers(a), numbers(b))
}

// update fetches the package lists from the mirror that the host uses, or from Debian's own if that one lacks the suite.
func (a *apt) update(ctx context.Context) error {
	keyring, err := a.keyring(ctx)
	if err != nil {
		return err
	}
	main, security := hostMirrors("/etc/apt")
	a.step("update package lists from %s", main)
	err = a.updateFrom(ctx, keyring, main, security)
	if err != nil && main != defaultMirror && ctx.Err() == nil {
		a.step("%s does not serve %s; trying %s", main, a.suites[0], defaultMirror)
		err = a.updateFrom(ctx, keyring, defaultMirror, defaultSecurity)
	}
	if err != nil {
		return fmt.Errorf("update package lists: %w", err)
	}
	return nil
}

func (a *apt) updateFrom(ctx context.Context, keyring, main, security string) error {
	var sources strings.Builder
	for _, suite := range a.suites {
		mirror := main
		if strings.HasSuffix(suite, "-security") {
			mirror = security
		}
		fmt.Fprintf(&sources, "deb [arch=amd64 signed-by=%s] %s %s main\n", keyring, mirror, suite)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(sources.String()), 0o644); err != nil {
		return err
	}
	_, err := a.get(ctx, "", "update", "--error-on=any")
	return err
}

// keyring returns Debian's archive keys. Ubuntu has them as a package; it is unpacked, not installed.
func (a *apt) keyring(ctx context.Context) (string, error) {
	if _, err := os.Stat(hostKeyring); err == nil {
		return hostKeyring, nil
	}
	a.step("fetch Debian's archive keyring with the host's apt")
	cmd := exec.CommandContext(ctx, "apt-get", "download", "-q", "debian-archive-keyring")
	cmd.Dir = a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("no %s, and apt-get cannot download the package debian-archive-keyring (install it, or run apt-get update): %w\n%s", hostKeyring, err, bytes.TrimSpace(out))
	}
	debs, err := filepath.Glob(filepath.Join(a.dir, "debian-archive-keyring*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("download debian-archive-keyring: found %d files: %w", len(debs), err)
	}
	tree := filepath.Join(a.dir, "keyring")
	if err := Unpack(ctx, tree, debs); err != nil {
		return "", err
	}
	return filepath.Join(tree, hostKeyring), nil
}

func (a *apt) get(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return a.run(ctx, "apt-get", dir, append([]string{"-q"}, args...)...)
}

func (a *apt) run(ctx context.Context, program, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// installed reads the names out of `apt-get install -s`.
func installed(out []byte) []string {
	var names []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Inst" {
			names = append(names, f[1])
		}
	}
	return names
}

// hostAcquire returns the host's settings of how apt reaches the network (proxies, checks of dates), as apt.conf text.
func hostAcquire(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "Acquire").Output()
	if err != nil {
		return "", fmt.Errorf("read the host's apt configuration: %w", err)
	}
	var keep strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Acquire::Languages") && !strings.HasPrefix(line, "Acquire::Retries") {
			keep.WriteString(line)
		}
	}
	return keep.String(), nil
}

// hostMirrors returns the mirror that the host's apt uses for Debian and its security suite, or Debian's own.
func hostMirrors(etc string) (main, security string) {
	main, security = defaultMirror, defaultSecurity
	files, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	for _, file := range append([]string{filepath.Join(etc, "sources.list")}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a file that this user may not read, or no sources.list: the default serves
		}
		for _, uri := range sourceURIs(string(text)) {
			switch {
			case main == defaultMirror && strings.HasSuffix(uri, "/debian"):
				main = uri
			case security == defaultSecurity && strings.HasSuffix(uri, "/debian-security"):
				security = uri
			}
		}
	}
	return main, security
}

// sourceURIs reads the addresses out of an apt source file, in the one-line form or in deb822's.
func sourceURIs(text string) []string {
	var uris []string
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		f := strings.Fields(scan.Text())
		if len(f) < 2 || (f[0] != "deb" && f[0] != "URIs:") {
			continue
		}
		for _, word := range f[1:] {
			if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
				uris = append(uris, strings.TrimSuffix(word, "/"))
			}
		}
	}
	return uris
}
