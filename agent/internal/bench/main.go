// Command bench measures what it costs to change a switch, against what people do today: `make bench-apply`. Each row is measured in
// pairs, ours and the other's in turns in one run, and is their medians.
//
// Rows that need no more than FRR and network namespaces are measured on the host's own kernel where this process may make namespaces,
// the others, and all where it may not, in the lab's guest; each row says where. The program runs itself there.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pointsman/pointsman/test/lab/debroot"
	"github.com/pointsman/pointsman/test/lab/kernel"
	"github.com/pointsman/pointsman/test/lab/uml"
)

// Where rows are measured.
const (
	modeNative = "native"
	modeGuest  = "guest"
)

// needsVRFs are the parts that need VRFs of the kernel, which a host's own may lack.
var needsVRFs = map[string]bool{"kernel": true, "cumulus": true}

// timeLimit bounds one part: loading 500 VRFs and reloading them takes minutes on a busy machine.
const timeLimit = 40 * time.Minute

func main() {
	uml.Main(map[string]uml.Mode{uml.CommandMode: uml.RunCommand})
	var o options
	out := flag.String("out", "bench/out", "directory for apply.json and apply-raw.json")
	inside := flag.String("inside", "", "measure one part here: frr, session, kernel or cumulus")
	uplink := flag.String("speak", "", "be a machine's speaker on an uplink")
	advertises := flag.Bool("advertise", false, "be the agent's part of a leaf that advertises on new ports")
	guest := flag.Bool("guest", false, "measure everything in the guest")
	only := flag.String("only", "frr,session,kernel,cumulus", "parts to measure")
	flag.IntVar(&o.pairs, "pairs", 7, "pairs of samples of each row")
	vrfs := flag.String("vrfs", "10,100,500", "numbers of VRFs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := o.parse(*vrfs)
	switch {
	case err != nil:
	case *advertises:
		err = advertiseHere()
	case *uplink != "":
		err = speak(*uplink)
	case *inside != "":
		err = runInside(*inside, o)
	default:
		err = runAll(ctx, o, strings.Split(*only, ","), *guest, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runInside measures one part and writes its rows as JSON.
func runInside(part string, o options) error {
	measure, ok := parts[part]
	if !ok {
		return fmt.Errorf("no part %q", part)
	}
	rows, err := guarded(func(t *harness) []Measured { return measure(t, o) })
	return errors.Join(json.NewEncoder(os.Stdout).Encode(rows), err)
}

// runAll measures the parts, each where it can be, and writes and prints what came out.
func runAll(ctx context.Context, o options, names []string, guest bool, dir string) error {
	root, err := debroot.Ensure(ctx, os.Stderr)
	if err != nil {
		return err
	}
	report := Report{Host: describeHost(), Pairs: o.pairs}
	for _, part := range names {
		mode := modeGuest
		if !guest && !needsVRFs[part] && nativeWorks(ctx, root) {
			mode = modeNative
		}
		fmt.Fprintf(os.Stderr, "bench: %s, %s\n", part, mode)
		rows, err := runPart(ctx, root, part, mode, o)
		if err != nil {
			return fmt.Errorf("measure %s: %w", part, err)
		}
		report.Rows = append(report.Rows, rows...)
	}
	if err := report.save(dir); err != nil {
		return err
	}
	report.print(os.Stdout)
	return nil
}

// nativeWorks reports whether this process may make namespaces with network devices in them.
func nativeWorks(ctx context.Context, root string) bool {
	if _, err := uml.NativeRights(); err != nil {
		return false
	}
	exit, err := uml.Run(ctx, uml.Config{Root: root, Native: true}, uml.Command{
		Argv: []string{"ip", "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1"}, Stdout: os.Stderr, Stderr: os.Stderr, Timeout: time.Minute,
	})
	if err != nil || exit != 0 {
		fmt.Fprintf(os.Stderr, "bench: the host's own kernel does not do: %v, exit code %d\n", err, exit)
	}
	return err == nil && exit == 0
}

// runPart runs this program again, in a guest of the mode.
func runPart(ctx context.Context, root, part, mode string, o options) ([]Measured, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	shown, err := uml.Visible([]string{filepath.Dir(self)})
	if err != nil {
		return nil, err
	}
	config := uml.Config{Root: root, Native: mode == modeNative, ReadOnly: shown}
	if !config.Native {
		config.Kernel = kernel.Choose(root, os.Stderr)
	}
	var answer bytes.Buffer
	exit, err := uml.Run(ctx, config, uml.Command{
		Argv: append([]string{self, "-inside", part}, o.flags()...), Stdout: &answer, Stderr: os.Stderr, Timeout: timeLimit,
	})
	if err == nil && exit != 0 {
		err = fmt.Errorf("exit code %d", exit)
	}
	if err != nil {
		return nil, err
	}
	var rows []Measured
	if err := json.Unmarshal(answer.Bytes(), &rows); err != nil {
		return nil, fmt.Errorf("read rows: %w: %.200s", err, answer.Bytes())
	}
	for i := range rows {
		rows[i].Mode = mode
	}
	return rows, nil
}

func describeHost() Host {
	h := Host{CPUs: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		h.Load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			h.CPU = strings.TrimSpace(model)
			break
		}
	}
	return h
}
