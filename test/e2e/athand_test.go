package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// TestAgentAtHand: what an operator on a leaf is told by the running agent, by none, and by one whose templates are refused.
func TestAgentAtHand(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		network(ctx, t, f, "hand", "10.3.0.0/24", "fd03::/64")
		a := allocate(ctx, t, f, "hand", "machine01")
		await(ctx, t, "status of the allocated port", func(ctx context.Context) error {
			s, err := statusOn(ctx, f, "leaf01")
			return errors.Join(err, s.is(true, a.Id))
		})
		if text := sh(ctx, t, f, "leaf01", "pointsman-agent diff"); text != "" {
			t.Errorf("a converged leaf has steps to take:\n%s", text)
		}
		for _, c := range []struct{ command, says string }{
			{"intent", a.Id}, {"intent -o yaml", "allocation: " + a.Id}, {"neighbours", "machine01"}, {"status", "Established"}, {"check", "kernel vrf"},
		} {
			if text := sh(ctx, t, f, "leaf01", "pointsman-agent %s", c.command); !strings.Contains(text, c.says) {
				t.Errorf("pointsman-agent %s does not say %q:\n%s", c.command, c.says, text)
			}
		}
		metrics := scrape(ctx, t, f, "leaf01")
		for _, line := range []string{`pointsman_agent_ports{mode="vrf"} 1`, "pointsman_agent_etcd_connected 1", "pointsman_agent_reverts_total 0", `pointsman_agent_operations_total{kind="AddVRF",result="ok"}`} {
			if !strings.Contains(metrics, line) {
				t.Errorf("metrics lack %s:\n%s", line, metrics)
			}
		}

		if err := f.Lab.Service(ctx, "leaf01", "agent", lab.ActionStop); err != nil {
			t.Fatal(err)
		}
		if s, err := statusOn(ctx, f, "leaf01"); errors.Join(err, s.is(false, a.Id)) != nil {
			t.Errorf("without an agent: %v, %+v", err, s)
		}
		// The next start meets a template that FRR does not take.
		sh(ctx, t, f, "leaf01", `mkdir -p /etc/pointsman/frr-templates && printf '{{ define "port" }}interface {{ . }}\n colour blue\nexit\n!\n{{ end }}' > /etc/pointsman/frr-templates/port.tmpl`)
		t.Cleanup(func() {
			_, _ = f.Lab.Run(context.WithoutCancel(ctx), "leaf01", "rm", "-rf", "/etc/pointsman/frr-templates")
		})
		if err := f.Lab.Service(ctx, "leaf01", "agent", lab.ActionStart); err != nil {
			t.Fatal(err)
		}
		await(ctx, t, "the agent says that templates are refused, and runs on", func(ctx context.Context) error {
			s, err := statusOn(ctx, f, "leaf01")
			if err == nil && !strings.Contains(s.Templates, `port.tmpl:2: FRR does not take "colour blue"`) {
				err = fmt.Errorf("templates %q", s.Templates)
			}
			return errors.Join(err, s.is(true, a.Id))
		})
		text, err := f.Ctl(ctx, "switch", "get", "leaf01")
		if err != nil || !strings.Contains(text, "templates are refused") {
			t.Errorf("pointsmanctl does not tell of it: %v\n%s", err, text)
		}
		sh(ctx, t, f, "leaf01", "rm -rf /etc/pointsman/frr-templates")
		for _, action := range []lab.ServiceAction{lab.ActionStop, lab.ActionStart} {
			if err := f.Lab.Service(ctx, "leaf01", "agent", action); err != nil {
				t.Fatal(err)
			}
		}
		await(ctx, t, "the built-in templates are in force without a word", func(ctx context.Context) error {
			s, err := statusOn(ctx, f, "leaf01")
			if err == nil && s.Templates != "" {
				err = fmt.Errorf("templates %q", s.Templates)
			}
			return errors.Join(err, s.is(true, a.Id))
		})
		release(ctx, t, f, a)
	})
}

// onLeaf is what the script reads of `pointsman-agent status -o json`.
type onLeaf struct {
	Running   bool
	State     string
	Templates string
	Notes     []string
	Etcd      struct{ Connected *bool }
	Ports     []struct {
		Name, Mode, VRF, WantedVRF, Allocation, Error string
		WantedGeneration, AppliedGeneration           uint64
		Session                                       *struct{ Established bool }
	}
}

func statusOn(ctx context.Context, f *fabric.Fabric, leaf string) (onLeaf, error) {
	var s onLeaf
	text, err := f.Lab.Run(ctx, leaf, "pointsman-agent", "status", "-o", "json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(text), &s)
}

// is says what is missing: the port of an allocation in its VRF with its session, and, of a running agent, etcd and the generation.
func (s onLeaf) is(running bool, allocation string) error {
	if s.Running != running || running && (s.State != "following" || s.Etcd.Connected == nil || !*s.Etcd.Connected) || !running && len(s.Notes) == 0 {
		return fmt.Errorf("agent %+v", s)
	}
	for _, p := range s.Ports {
		if p.Allocation != allocation {
			continue
		}
		if p.Mode != "vrf" || p.VRF == "" || p.VRF != p.WantedVRF || p.Error != "" || p.Session == nil || !p.Session.Established {
			return fmt.Errorf("port %+v", p)
		}
		if running && (p.AppliedGeneration == 0 || p.AppliedGeneration != p.WantedGeneration) {
			return fmt.Errorf("port %+v", p)
		}
		return nil
	}
	return fmt.Errorf("no port of allocation %s", allocation)
}

// scrape reads the metrics as Prometheus on the switch would.
func scrape(ctx context.Context, t *testing.T, f *fabric.Fabric, node string) string {
	t.Helper()
	conn, err := f.Lab.Dial(ctx, node, "127.0.0.1:7445", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:7445/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
