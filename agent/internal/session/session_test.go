package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pointsman/pointsman/agent/internal/system/frr"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

func TestStatuses(t *testing.T) {
	up := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	read := []frr.Session{
		{VRF: "", Interface: "swp31", State: "Established", Established: true, RemoteAS: 4200000001, PrefixesReceived: 9, EstablishedTime: up},
		{VRF: "Vrf1", Interface: "swp1", State: "Established", Established: true},
		{VRF: "Vrf2", Interface: "swp2", State: "Active", LastResetReason: "Hold Timer Expired", PrefixesReceived: 2},
	}
	wanted := map[string]Wanted{"swp31": {Generation: 3}, "swp1": {Generation: 7, VRF: "Vrf9"}, "swp2": {Generation: 5, VRF: "Vrf2"}}
	want := map[string]netmodel.SessionStatus{
		"swp31": {Port: "swp31", Generation: 3, State: "Established", Established: true, PeerASN: 4200000001, EstablishedTime: up},
		"swp1":  {Port: "swp1", Generation: 7, VRF: "Vrf9", State: "not configured"}, // a session in another VRF is another session
		"swp2":  {Port: "swp2", Generation: 5, VRF: "Vrf2", State: "Active", LastResetReason: "Hold Timer Expired", PrefixesReceived: 2},
	}
	if diff := cmp.Diff(want, statuses(wanted, read)); diff != "" {
		t.Error(diff)
	}
}

// source is an FRR that answers what it is told, after a while.
type source struct {
	mu       sync.Mutex
	sessions []frr.Session
	err      error
	reads    int
	takes    time.Duration
}

func (s *source) read(context.Context) ([]frr.Session, error) {
	s.mu.Lock()
	s.reads++
	answer, err := s.sessions, s.err
	s.mu.Unlock()
	time.Sleep(s.takes)
	return answer, err
}

func (s *source) set(err error, sessions ...frr.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions, s.err = sessions, err
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

func TestReadsOftenOnlyWhileItMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		var reports []map[string]netmodel.SessionStatus
		m := New(src.read, func(s map[string]netmodel.SessionStatus) { reports = append(reports, s) }, slog.Default())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = m.Run(ctx) }()
		time.Sleep(time.Minute)
		if src.count() != 0 {
			t.Errorf("%d reads before anybody wanted a session", src.count())
		}
		m.Want(map[string]Wanted{"swp1": {Generation: 1, VRF: "Vrf1"}})
		time.Sleep(time.Second)
		if n := src.count(); n < 5 {
			t.Errorf("%d reads in the first second of waiting", n)
		}
		src.set(nil, frr.Session{VRF: "Vrf1", Interface: "swp1", Established: true, State: "Established"})
		time.Sleep(hurried + time.Millisecond)
		synctest.Wait()
		if len(reports) != 2 || !reports[1]["swp1"].Established || reports[1]["swp1"].Generation != 1 {
			t.Fatalf("reports %v", reports)
		}
		time.Sleep(time.Minute)
		before := src.count()
		time.Sleep(time.Minute)
		if n := src.count() - before; n > 61 {
			t.Errorf("%d reads in a quiet minute", n)
		}
		src.set(errors.New("bgpd is away"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(reports) != 2 || !m.Sessions()[0].Established {
			t.Error("a failed read was taken for a session that is down")
		}
		src.set(nil)
		m.Kick()
		synctest.Wait()
		if len(reports) != 3 || reports[2]["swp1"].Established {
			t.Errorf("reports %v", reports)
		}
		cancel()
		synctest.Wait()
	})
}

// A read that began before a change says nothing about it.
func TestAnOldReadDoesNotCountForANewGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{takes: 100 * time.Millisecond}
		src.set(nil, frr.Session{VRF: "Vrf1", Interface: "swp1", Established: true})
		var reports []netmodel.SessionStatus
		m := New(src.read, func(s map[string]netmodel.SessionStatus) { reports = append(reports, s["swp1"]) }, slog.Default())
		ctx, cancel := context.WithCancel(t.Context())
		m.Want(map[string]Wanted{"swp1": {Generation: 1, VRF: "Vrf1"}})
		go func() { _ = m.Run(ctx) }()
		time.Sleep(50 * time.Millisecond) // a read is under way
		src.set(nil, frr.Session{VRF: "Vrf1", Interface: "swp1", Established: false})
		m.Want(map[string]Wanted{"swp1": {Generation: 2, VRF: "Vrf1"}})
		time.Sleep(time.Second)
		cancel()
		time.Sleep(time.Second) // a read ends
		synctest.Wait()
		for _, r := range reports {
			if r.Generation == 2 && r.Established {
				t.Errorf("the session of generation 1 counted for 2: %v", reports)
			}
		}
		if last := reports[len(reports)-1]; last.Generation != 2 {
			t.Errorf("last report %+v", last)
		}
	})
}
