package fabric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/pointsman/pointsman/test/lab/measure"
)

// Outage is what one direction between two machines lost while it was measured.
type Outage struct {
	From, To   string // machines
	Target     netip.Addr
	Sent, Lost int
	Gap        time.Duration // the longest time in which no packet of one flow came
	Outage     time.Duration // the longest time in which a flow lost packets
	OutageFrom time.Time     // when it began
}

func (o Outage) String() string {
	text := fmt.Sprintf("%s to %s (%s): %d sent, %d lost, outage %d ms, longest gap %d ms", o.From, o.To, o.Target, o.Sent, o.Lost, o.Outage.Milliseconds(), o.Gap.Milliseconds())
	if o.Outage > 0 {
		text += " (outage from " + o.OutageFrom.UTC().Format("15:04:05.000") + ")" // to be found in the logs
	}
	return text
}

// Measurement runs between two machines until Stop.
type Measurement struct {
	machines [2]string
	inputs   [2]*io.PipeWriter
	results  [2]chan measured
	began    time.Time // when packets are counted from
}

type measured struct {
	reports []measure.Report
	err     error
}

// Measure sends 100 packets a second between two machines, both ways, over each pair of their addresses: local ones of the first machine
// by remote ones of the second. It returns when packets flow.
func (f *Fabric) Measure(ctx context.Context, a, b string, pairs map[netip.Addr]netip.Addr) (*Measurement, error) {
	m := &Measurement{machines: [2]string{a, b}}
	var args [2][]string
	for local, remote := range pairs {
		args[0] = append(args[0], local.String()+"="+remote.String())
		args[1] = append(args[1], remote.String()+"="+local.String())
	}
	for i, machine := range m.machines {
		// Flows are told apart by their ports as well: otherwise all of them may take the one of two leaves that stays well.
		if _, err := f.Lab.Run(ctx, machine, "sysctl", "-q", "-w", "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1"); err != nil {
			return nil, err
		}
		in, out := io.Pipe()
		m.inputs[i], m.results[i] = out, make(chan measured, 1)
		go func() { m.results[i] <- f.measure(ctx, machine, args[i], in) }()
	}
	time.Sleep(2 * time.Second) // packets are counted from when both ends listen; a caller's fault comes after that
	m.began = time.Now()
	return m, nil
}

func (f *Fabric) measure(ctx context.Context, machine string, args []string, in io.Reader) measured {
	r, err := f.Lab.Exec(ctx, machine, append([]string{"lab", "measure"}, args...), in)
	if err == nil && r.Exit != 0 {
		err = fmt.Errorf("measure on %s: exit code %d: %s", machine, r.Exit, bytes.TrimSpace(r.Stderr))
	}
	if err != nil {
		return measured{err: err}
	}
	var reports []measure.Report
	for line := range strings.Lines(string(r.Stdout)) {
		var report measure.Report
		if err := json.Unmarshal([]byte(line), &report); err != nil {
			return measured{err: fmt.Errorf("decode report of %s: %w", machine, err)}
		}
		reports = append(reports, report)
	}
	return measured{reports: reports}
}

// Stop ends the measurement and returns an outage for each direction and pair. Where nothing came at all, that lasted as long as was measured.
func (m *Measurement) Stop() ([]Outage, error) {
	lasted := time.Since(m.began)
	var got [2]measured
	for i := range m.inputs {
		_ = m.inputs[i].Close()
	}
	for i := range got {
		got[i] = <-m.results[i]
	}
	if err := errors.Join(got[0].err, got[1].err); err != nil {
		return nil, err
	}
	var out []Outage
	for i := range got {
		for j, sent := range got[i].reports {
			received := got[1-i].reports[j]
			o := Outage{
				From: m.machines[i], To: m.machines[1-i], Target: sent.Remote, Sent: sent.Sent,
				Lost: sent.Sent - received.Received, Gap: received.Gap, Outage: received.Outage, OutageFrom: received.OutageFrom,
			}
			if received.Received == 0 { // packets are not even counted before the first greeting came
				o.Lost, o.Gap, o.Outage, o.OutageFrom = max(sent.Sent, 1), lasted, lasted, m.began
			}
			out = append(out, o)
		}
	}
	return out, nil
}
