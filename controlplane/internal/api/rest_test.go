package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// ask makes a REST call and returns its code and what it said.
func (c *clients) ask(t *testing.T, method, path, body string, change func(*http.Request)) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.conn.Target()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	if json.Unmarshal(raw, &said) != nil {
		said["text"] = string(raw)
	}
	return answer.StatusCode, said
}

func TestREST(t *testing.T) {
	f := startFabric(t)
	steps := []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"GET", "/v1/projects/default/networks/blue", "", 200, `"prefixes":["10.1.0.0/24","fd01::/64"]`},
		{"GET", "/v1/projects/default/networks/none", "", 404, `"code":5`},
		{"POST", "/v1/projects/default/networks", `{"id":"red","prefixes":["10.2.0.0/24"]}`, 200, `"kind":"NETWORK_KIND_PRIVATE"`},
		{"POST", "/v1/projects/default/networks", `{"id":"Red"}`, 400, "must be a DNS label"},
		{"PATCH", "/v1/projects/default/networks/red", `{"description":"d","updateMask":"description"}`, 200, `"description":"d"`},
		{"PATCH", "/v1/projects/default/networks/red", `{"updateMask":"vni"}`, 400, "cannot be changed"},
		{"GET", "/v1/projects/default/networks?pageSize=1&filter=kind%3Dprivate", "", 200, `"nextPageToken":"`},
		{"GET", "/v1/machines?filter=state%20%3D%20free&rack=rack1", "", 200, `"id":"machine02"`},
		{"GET", "/v1/machines/machine01", "", 200, `"state":"MACHINE_STATE_FREE"`},
		{"POST", "/v1/projects/default/networks/blue/ips", `{"address":"fd01::77"}`, 200, `"IP_KIND_STATIC"`},
		{"GET", "/v1/projects/default/networks/blue/ips/fd01::77", "", 200, `"address":"fd01::77"`},
		{"DELETE", "/v1/projects/default/networks/blue/ips/fd01::77?requestId=r1", "", 200, `{}`},
		{"POST", "/v1/projects/default/allocations", `{"id":"web","requestId":"r2","attachments":[{"network":"blue"}]}`, 200, `"generation":"1"`},
		{"POST", "/v1/projects/default/allocations", `{"id":"web","requestId":"r2","attachments":[{"network":"blue"}]}`, 200, `"id":"web"`},
		{"POST", "/v1/machines/machine01:overrideRelease", `{"reason":"x"}`, 400, `"code":9`},
		{"DELETE", "/v1/projects/default/allocations/web", "", 200, `"pendingRelease"`},
		{"GET", "/v1/switches/leaf01", "", 200, `"alive":true`},
		{"GET", "/openapi.json", "", 200, `"/v1/projects/{project}/allocations"`},
		{"GET", "/elsewhere", "", 404, ""},
	}
	for _, s := range steps {
		code, said := f.ask(t, s.method, s.path, s.body, nil)
		text, err := json.Marshal(said)
		if err != nil || code != s.code || !strings.Contains(string(text), s.says) {
			t.Errorf("%s %s: %d %.300s, want %d %s", s.method, s.path, code, text, s.code, s.says)
		}
	}
}

// TestRESTWatch: one JSON object a line, each as soon as it happens, and the end of the server is the end of the stream.
func TestRESTWatch(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.conn.Target()+"/v1/projects/default/networks:watch?filter=id:b", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended before %s: %v", want, lines.Err())
		}
		var line map[string]map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || !strings.Contains(strings.ReplaceAll(lines.Text(), " ", ""), want) {
			t.Fatalf("got %s (%v), want %s", lines.Text(), err, want)
		}
	}
	next(`"type":"EVENT_TYPE_ADDED"`)
	next(`"type":"EVENT_TYPE_BOOKMARK"`)
	remove(t, c, "blue")
	next(`"type":"EVENT_TYPE_DELETED"`)
	next(`"type":"EVENT_TYPE_BOOKMARK"`)
	go c.stop()
	next(`"error":`)
	if lines.Scan() {
		t.Errorf("after its end the stream says %s", lines.Text())
	}
}

// TestWebPagesCannotAct: neither a page of elsewhere, nor one whose name was made to resolve to this host.
func TestWebPagesCannotAct(t *testing.T) {
	c := start(t)
	body := `{"id":"evil","prefixes":["10.6.0.0/24"]}`
	for name, change := range map[string]func(*http.Request){
		"a page of elsewhere": func(r *http.Request) {
			r.Header.Set("Origin", "https://elsewhere.example")
			r.Header.Set("Content-Type", "text/plain")
		},
		"another name": func(r *http.Request) { r.Host = "elsewhere.example" },
	} {
		if code, said := c.ask(t, http.MethodPost, "/v1/projects/default/networks", body, change); code < 400 {
			t.Errorf("%s: %d %v", name, code, said)
		}
	}
	_, err := c.networks.GetNetwork(t.Context(), &apiv1.GetNetworkRequest{Id: "evil"})
	refused(t, err, codes.NotFound)
	if code, said := c.ask(t, http.MethodPost, "/v1/projects/default/networks", body, func(r *http.Request) { r.Host = "localhost" }); code != 200 {
		t.Errorf("the control, by the host's own name: %d %v", code, said)
	}
}

// TestSilentConnectionsHoldNothingUp: one that says nothing keeps neither others waiting nor the server from stopping.
func TestSilentConnectionsHoldNothingUp(t *testing.T) {
	c := start(t)
	for range 10 {
		conn, err := net.Dial("tcp", c.conn.Target())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	create(t, c, "blue", 1)
	began := time.Now()
	c.stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// TestMetricsCountEveryCall: gRPC and REST, with their codes.
func TestMetricsCountEveryCall(t *testing.T) {
	c := start(t)
	create(t, c, "blue", 1)
	_, err := c.networks.GetNetwork(t.Context(), &apiv1.GetNetworkRequest{Id: "none"})
	refused(t, err, codes.NotFound)
	c.ask(t, http.MethodGet, "/v1/projects/default/networks/none", "", nil)
	read := func() string {
		w := httptest.NewRecorder()
		c.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	label := func(code, method, kind string) string {
		return fmt.Sprintf(`grpc_server_handled_total{grpc_code=%q,grpc_method=%q,grpc_service="pointsman.v1.NetworkService",grpc_type=%q}`, code, method, kind)
	}
	for _, want := range []string{
		label("OK", "CreateNetwork", "unary") + " 1", label("NotFound", "GetNetwork", "unary") + " 2", label("OK", "WatchNetworks", "server_stream") + " 0",
		`grpc_server_handling_seconds_count{grpc_method="CreateNetwork"`, "go_goroutines",
	} {
		if !strings.Contains(read(), want) {
			t.Errorf("there is no %s in\n%s", want, read())
		}
	}
}
